"""Films with two faces, made of real clips: the one that speaks is found, or one by its place."""

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.media import read_audio, read_frames, write_video
from pipeline.run.clip import Stage
from tests.pipeline.filmed import prepared

FRAMES = 65
SPEAKER = "people/vcdub_lrs3_WFCvkkDSfIU_00003.mp4"
OTHER = "people/vcdub_lrs3_VxESitIllxE_00004.mp4"  # talks as well, to another sound


@pytest.fixture(scope="module")
def people(shared_data: Path) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """65 frames of 224 x 224 of the speaker and of somebody else."""
    return tuple(
        [cv2.resize(frame, (224, 224)) for frame in islice(read_frames(shared_data / name), FRAMES)]
        for name in (SPEAKER, OTHER)
    )


def _placed(frame: np.ndarray, *parts: tuple[np.ndarray, int, int, int]) -> np.ndarray:
    """A picture with others on it: (picture, x, y, side) each."""
    frame = frame.copy()
    for picture, x, y, side in parts:
        frame[y : y + side, x : x + side] = cv2.resize(
            picture, (side, side), interpolation=cv2.INTER_AREA
        )
    return frame


WALL = np.full((360, 640, 3), 70, np.uint8)


def _poster(speaker: np.ndarray, other: np.ndarray, _: int) -> np.ndarray:
    return _placed(WALL, (other, 10, 10, 320), (speaker, 400, 60, 200))


def _beside(speaker: np.ndarray, other: np.ndarray, _: int) -> np.ndarray:
    return _placed(WALL, (speaker, 30, 60, 240), (other, 350, 60, 260))


def _picture_in_picture(speaker: np.ndarray, other: np.ndarray, _: int) -> np.ndarray:
    return _placed(WALL, (other, 60, 0, 360), (speaker, 500, 230, 120))


def _sizes_swap(speaker: np.ndarray, other: np.ndarray, k: int) -> np.ndarray:
    side = 160 + 140 * k // FRAMES
    return _placed(WALL, (speaker, 10, 20, side), (other, 320, 20, 460 - side))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("film", "still"),
    [
        (_poster, True),
        (_picture_in_picture, True),
        (_beside, False),
        (_picture_in_picture, False),
        (_sizes_swap, False),
    ],
)
def test_the_face_that_speaks_is_taken(
    stages: list[Stage],
    people,
    shared_data: Path,
    tmp_path: Path,
    film: Callable[..., np.ndarray],
    still: bool,
):
    speaker, other = people
    others = [other[0]] * FRAMES if still else other
    frames = [film(a, b, k) for k, (a, b) in enumerate(zip(speaker, others, strict=True))]
    path = tmp_path / "film.mp4"
    write_video(path, frames, audio=read_audio(shared_data / SPEAKER))
    clip = prepared(path, stages)
    assert clip.row["status"] == "ok"
    assert clip.row["faces"] == 2
    assert clip.row["notes"] == "speaker-chosen"
    assert clip.row["speaker_margin"] >= 0.1
    # The eyes' centre, back in the film: inside the speaker's part of it.
    matrix = np.array(clip.sample.meta["transforms"][-1]).reshape(2, 3)
    eyes = cv2.invertAffineTransform(matrix) @ [*clip.sample.landmarks[-1, 36:48].mean(0), 1]
    marked = film(np.full_like(speaker[0], 255), np.zeros_like(other[0]), FRAMES - 1)
    x, y = eyes.round().astype(int)
    assert marked[y, x, 0] == 255


@pytest.mark.slow
def test_a_face_can_be_chosen_by_its_place(
    stages: list[Stage], people, shared_data: Path, tmp_path: Path
):
    speaker, other = people
    frames = [_beside(speaker[0], other[0], 0)] * 12
    path = tmp_path / "film.mp4"
    write_video(path, frames, audio=read_audio(shared_data / SPEAKER))
    where = {}
    for face in ("largest", "left", "right", "0", "1"):
        clip = prepared(path, stages, face=face)
        assert clip.row["faces"] == 2
        assert clip.row["notes"] == ""
        matrix = np.array(clip.sample.meta["transforms"][0]).reshape(2, 3)
        where[face] = int(cv2.invertAffineTransform(matrix)[0, 2] > 290)
    assert where["left"] == where["0"] == 0
    assert where["right"] == where["1"] == 1
    absent = prepared(path, stages, face="2")
    assert absent.row["status"] == "skipped"
    assert "face 2" in absent.row["reason"]
    # Nobody's lips move: the largest, and the row says so.
    unclear = prepared(path, stages)
    assert unclear.row["notes"] == "speaker-unclear"
    assert unclear.row["speaker_margin"] < 0.1


@pytest.mark.slow
def test_one_face_upside_down_is_turned(stages: list[Stage], people, tmp_path: Path, shared_data):
    frames = [np.ascontiguousarray(frame[::-1, ::-1]) for frame in people[0]]
    path = tmp_path / "film.mp4"
    write_video(path, frames, audio=read_audio(shared_data / SPEAKER))
    clip = prepared(path, stages)
    assert clip.row["notes"] == "turned"
    assert abs(clip.row["roll"]) > 150
    upright = tmp_path / "upright.mp4"
    write_video(upright, people[0], audio=read_audio(shared_data / SPEAKER))
    wanted = prepared(upright, stages).sample
    kept = slice(round(clip.sample.meta["kept_seconds"][0] * 25), None)
    apart = np.abs(clip.sample.landmarks - wanted.landmarks[kept][: len(clip.sample.landmarks)])
    assert apart.mean() < 1.0
