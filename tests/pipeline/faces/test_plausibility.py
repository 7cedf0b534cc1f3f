"""Landmarks that are a face's and some that are not, and crops that leave their picture."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from pipeline.faces.geometry import resample
from pipeline.faces.plausibility import is_plausible, outside_share
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import read_frames


@pytest.fixture(scope="module")
def points(tracker: MediaPipeTracker, shared_data: Path) -> np.ndarray:
    clip = shared_data / "clips" / "crema_1001_DFA_ANG_XX.mkv"
    return tracker.track(islice(read_frames(clip), 1)).points[0]


def _moved(points: np.ndarray, which: slice, by: tuple[float, float]) -> np.ndarray:
    """The landmarks with some of them moved, by distances of the outer eye corners."""
    moved = points.copy()
    moved[which] += np.array(by) * np.linalg.norm(points[45] - points[36])
    return moved


def _shrunk(points: np.ndarray, which: slice, factor: float) -> np.ndarray:
    shrunk, centre = points.copy(), points[which].mean(0)
    shrunk[which] = centre + (points[which] - centre) * factor
    return shrunk


@pytest.mark.parametrize("degrees", [0, 30, 90, 180])
def test_a_face_is_plausible_however_it_is_tilted(points: np.ndarray, degrees: float):
    angle = np.radians(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    assert is_plausible(points @ turn)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: p * [-1, 1],  # mirrored: the mouth lies above the eyes on the face's own axis
        lambda p: _moved(p, slice(48, 68), (0, -1.5)),
        lambda p: _moved(p, slice(48, 68), (0, -0.6)),
        lambda p: _moved(p, slice(48, 68), (1.2, 0)),
        lambda p: _shrunk(p, slice(36, 42), 0.05),
        lambda p: _moved(p, slice(17), (2.5, 0)),
        np.zeros_like,
    ],
)
def test_what_is_no_face_is_not_plausible(points: np.ndarray, change):
    assert not is_plausible(change(points))


def test_heads_in_profile_are_plausible(tracker: MediaPipeTracker, shared_data: Path):
    clip = shared_data / "clips" / "lrs3_UZmXwOgNq7c_00002.webm"
    track = tracker.track(read_frames(clip))
    assert track.found.any()
    assert all(map(is_plausible, track.points[track.found]))


def test_the_share_outside_is_that_of_the_black_pixels():
    white = np.full((90, 160, 3), 255, np.uint8)
    angle, size = 0.3, 128
    cos, sin = np.cos(angle), np.sin(angle)
    matrices = np.array(
        [
            [[cos, sin, 10], [-sin, cos, 40]],
            [[1.0, 0, 0], [0, 1.0, 0]],
            [[4.0, 0, -100], [0, 4.0, -100]],
            [[1.0, 0, 500], [0, 1.0, 0]],
        ]
    )
    black = [(resample(white, m, size) < 128).mean() for m in matrices]
    np.testing.assert_allclose(outside_share(matrices, size, (160, 90)), black, atol=0.01)
    assert black[2] == 0
    assert black[3] == 1
