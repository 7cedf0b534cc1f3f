"""HLG and PQ against the forward functions of BT.2100; BT.2020 and P3 against colour patches."""

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import VideoReformatter

from pipeline.media import probe, read_frames
from pipeline.media.colour import colour_note, rgb_in_bt709

# Skin, greys, and colours that BT.709 can show: 8-bit values.
_PATCHES = np.array(
    [[[166, 139, 113], [226, 181, 145], [90, 60, 50], [0, 0, 0]],
     [[255, 255, 255], [40, 120, 200], [30, 160, 60], [128, 128, 128]]], np.float64
)  # fmt: skip
# Linear BT.709 to linear BT.2020 (BT.2087) and to Display P3.
_TO_2020 = np.array([[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]])
_TO_P3 = np.array([[0.8225, 0.1774, 0], [0.0332, 0.9669, 0], [0.0171, 0.0724, 0.9108]])


def _hlg(patches: np.ndarray) -> np.ndarray:
    scene = 0.26496 * ((patches / 255) ** 2 @ _TO_2020.T)  # white at 75 % of the signal
    curve = 0.17883277 * np.log(12 * np.maximum(scene, 1 / 12) - 0.28466892) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), curve)


def _pq(patches: np.ndarray) -> np.ndarray:
    share = 203 / 10_000 * ((patches / 255) ** 2.4 @ _TO_2020.T)
    power = share ** (2610 / 16384)
    ratio = (3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)
    return ratio ** (2523 / 32)


def _wide(to: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    return lambda patches: ((patches / 255) ** 2.4 @ to.T) ** (1 / 2.4)


@pytest.mark.parametrize(
    ("encode", "transfer", "primaries", "note"),
    [
        (_hlg, 18, 9, "tone-mapped"),
        (_pq, 16, 9, "tone-mapped"),
        (_wide(_TO_2020), 14, 9, "gamut-converted"),
        (_wide(_TO_P3), 1, 12, "gamut-converted"),
    ],
    ids=["HLG", "PQ", "BT.2020", "P3"],
)
def test_colours_become_those_of_bt709(
    encode: Callable[[np.ndarray], np.ndarray], transfer: int, primaries: int, note: str
):
    values = np.kron(encode(_PATCHES), np.ones((16, 16, 1)))
    pixels = np.round(65535 * values.clip(0, 1)).astype(np.uint16)
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb48le")
    frame.color_trc, frame.color_primaries = transfer, primaries
    assert colour_note(frame) == note
    found = rgb_in_bt709(frame, (64, 32), VideoReformatter())
    np.testing.assert_allclose(found[8::16, 8::16], _PATCHES, atol=2)


def test_usual_colours_are_left_alone():
    frame = av.VideoFrame.from_ndarray(np.zeros((4, 4, 3), np.uint8), format="rgb24")
    assert colour_note(frame) is None
    frame.color_trc, frame.color_primaries = 1, 1
    assert colour_note(frame) is None


@pytest.mark.slow
def test_a_phones_hlg_film_looks_like_the_same_film_in_bt709(shared_cases: Path):
    found, expected = (
        np.stack(list(read_frames(shared_cases / "hdr" / name))).astype(np.float64)
        for name in ("iphone_hlg.mov", "sdr709.mp4")
    )
    assert np.abs(found.mean((0, 1, 2)) - expected.mean((0, 1, 2))).max() < 2
    assert np.abs(found - expected).mean() < 3
    assert probe(shared_cases / "hdr" / "iphone_hlg.mov").notes == ("tone-mapped",)
    assert probe(shared_cases / "hdr" / "sdr709.mp4").notes == ()
