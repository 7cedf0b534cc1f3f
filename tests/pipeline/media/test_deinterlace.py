"""Interlaced films: fields woven from two moments become whole frames."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.media import probe, read_frames
from tests.pipeline.media.numbered import steady, write_numbered

_SIDE, _COUNT = 128, 12


def _moving_disc(moment: float) -> np.ndarray:
    y, x = np.mgrid[:_SIDE, :_SIDE]
    disc = np.hypot(x - 30 - 6 * moment, y - 64) < 24
    return np.where(disc, 220, 40)[..., None].repeat(3, 2).astype(np.uint8)


def _woven(frame: int) -> np.ndarray:
    """The rows of two moments, half a frame apart."""
    image = _moving_disc(frame)
    image[1::2] = _moving_disc(frame + 0.5)[1::2]
    return image


def _combing(frames: list[np.ndarray]) -> float:
    """How much rows differ from the mean of their neighbours."""
    v = np.stack(frames)[..., 1].astype(np.float64)
    return float(np.abs(v[:, 1:-1] - (v[:, :-2] + v[:, 2:]) / 2).mean())


@pytest.mark.parametrize("interlaced", [True, False])
def test_frames_flagged_as_interlaced_are_deinterlaced(interlaced: bool, tmp_path: Path):
    woven = [_woven(k) for k in range(_COUNT)]
    options = {"qscale": "2"} | ({"flags": "+ilme+ildct+qscale"} if interlaced else {})
    film = write_numbered(
        tmp_path / "a.mpg", steady(_COUNT, 25), frames=woven, codec="mpeg2video", options=options
    )
    frames = list(read_frames(film))
    assert len(frames) == _COUNT
    assert probe(film).notes == (("deinterlaced",) if interlaced else ())
    whole = _combing([_moving_disc(k) for k in range(_COUNT)])
    assert (_combing(frames) < 2 * whole) == interlaced
    assert _combing(woven) > 3 * whole
    # Each frame is the moment of its first field, not of its neighbours'.
    errors = [np.abs(frames[6].astype(float) - _moving_disc(6 + by)).mean() for by in (-1, 0, 1)]
    assert np.argmin(errors) == 1


def test_a_start_further_in_gives_the_same_frames(tmp_path: Path):
    film = write_numbered(
        tmp_path / "a.mkv", steady(60, 25), frames=[_woven(k % 12) for k in range(60)],
        codec="mpeg2video", options={"flags": "+ilme+ildct"},
    )  # fmt: skip
    whole = list(read_frames(film))
    part = list(read_frames(film, start=1.6))
    assert len(part) == 20
    assert np.array_equal(np.stack(part[2:]), np.stack(whole[42:]))


@pytest.mark.slow
def test_a_real_pan_is_as_smooth_as_the_progressive_one(shared_cases: Path):
    found, expected = (
        list(read_frames(shared_cases / "interlaced" / f"{name}_pan.mpg"))
        for name in ("interlaced", "progressive")
    )
    assert len(found) == len(expected)
    assert _combing(found) < 1.2 * _combing(expected)
