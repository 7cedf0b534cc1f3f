"""Views of frames: the crops made of them are those of the whole frames, or it is said."""

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from pipeline.faces.alignment import crop, transforms
from pipeline.faces.crop_views import FaceViews
from pipeline.faces.tracking import NO_FACE, MediaPipeTracker, Track, stretches
from pipeline.media import read_frames

_SIZE, _BRIDGE = 128, 5


@pytest.fixture(scope="module")
def shot(tracker: MediaPipeTracker) -> tuple[list[np.ndarray], np.ndarray]:
    """A face of 150 pixels that drifts through 14 frames of 1280 x 720, and its landmarks."""
    frames = []
    for k in range(14):
        frame = np.random.default_rng(k).integers(60, 90, (720, 1280, 3), np.uint8)
        frame[100 + k : 612 + k, 300 + 2 * k : 812 + 2 * k] = data.astronaut()
        frames.append(frame)
    points = tracker.track(frames[:1]).points[0]
    return frames, np.stack([points + np.array([2 * k, k]) for k in range(14)]).astype(np.float32)


def _views(frames: list[np.ndarray], points: np.ndarray, max_bytes: int = 512 << 20) -> FaceViews:
    views = FaceViews(_SIZE, _BRIDGE, max_bytes)
    for frame, found in zip(frames, points, strict=True):
        views.add(frame, found)
    return views


@pytest.mark.parametrize("smoothing", ["authors", "gaussian", "none"])
def test_crops_are_those_of_the_whole_frames(
    shot: tuple[list[np.ndarray], np.ndarray], smoothing: str
):
    frames, points = shot
    matrices = transforms(points, _SIZE, smoothing)
    views, kept = _views(frames, points), slice(0, len(frames))
    assert views.suffice(kept, matrices)
    for got, whole in zip(views.crops(kept, matrices), crop(frames, matrices, _SIZE), strict=True):
        np.testing.assert_array_equal(got, whole)


@pytest.mark.slow
def test_crops_of_a_real_clip_are_those_of_the_whole_frames(
    shared_data: Path, tracker: MediaPipeTracker
):
    frames = list(read_frames(shared_data / "clips" / "grid_s1_bbir6n.mpg"))
    points = tracker.track(frames).points
    matrices = transforms(points, _SIZE, "authors")
    views, kept = _views(frames, points), slice(5, 60)
    assert views.suffice(kept, matrices[kept])
    got = np.stack(list(views.crops(kept, matrices[kept])))
    np.testing.assert_array_equal(got, list(crop(frames[kept], matrices[kept], _SIZE)))


@pytest.mark.parametrize("away", [1, _BRIDGE])
def test_a_gap_that_is_bridged_has_its_views(shot: tuple[list[np.ndarray], np.ndarray], away: int):
    frames, points = shot
    seen = points.copy()
    seen[4 : 4 + away] = np.nan
    (whole,) = stretches(Track(seen, 1), bridge=_BRIDGE)
    matrices = transforms(whole.points, _SIZE, "authors")
    views = _views(frames, seen)
    assert views.suffice(whole.frames, matrices)
    got = list(views.crops(whole.frames, matrices))
    np.testing.assert_array_equal(got, list(crop(frames, matrices, _SIZE)))


def test_a_longer_gap_and_what_lies_before_the_first_face_have_none(
    shot: tuple[list[np.ndarray], np.ndarray],
):
    frames, points = shot
    seen = points.copy()
    seen[:2] = NO_FACE
    seen[4 : 5 + _BRIDGE] = NO_FACE
    views, matrices = _views(frames, seen), transforms(points, _SIZE, "none")
    for there, kept in ((True, slice(2, 4)), (True, slice(10, 14)), (False, slice(1, 4)),
                        (False, slice(9, 14))):  # fmt: skip
        assert views.suffice(kept, matrices[kept]) == there


def test_a_picture_shown_twice_is_kept_once(shot: tuple[list[np.ndarray], np.ndarray]):
    frames, points = shot
    held = [frames[k // 2] for k in range(14)]
    places = points[np.arange(14) // 2]
    one = _views(frames[:1], points[:1])._left
    views = _views(held, places)
    assert (512 << 20) - views._left <= 7 * ((512 << 20) - one) * 1.05
    kept, matrices = slice(0, 14), transforms(places, _SIZE, "authors")
    assert views.suffice(kept, matrices)
    np.testing.assert_array_equal(
        list(views.crops(kept, matrices)), list(crop(held, matrices, _SIZE))
    )


def test_views_that_would_take_too_much_memory_are_not_kept(
    shot: tuple[list[np.ndarray], np.ndarray],
):
    frames, points = shot
    matrices = transforms(points, _SIZE, "authors")
    views = _views(frames, points, max_bytes=2 << 20)
    assert not views.suffice(slice(0, 2), matrices[:2])


def test_crops_that_wander_off_are_noticed(shot: tuple[list[np.ndarray], np.ndarray]):
    frames, points = shot
    matrices = transforms(points, _SIZE, "none")
    views = _views(frames, points)
    moved = matrices.copy()
    moved[7, :, 2] += 40
    assert not views.suffice(slice(0, 14), moved)
    assert views.suffice(slice(0, 7), moved[:7])
