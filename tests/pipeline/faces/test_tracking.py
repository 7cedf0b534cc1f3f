"""Landmarks on a public-domain photograph and on real clips: found, followed, lost, found again."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from pipeline.faces.alignment import STABLE_POINTS, TEMPLATE
from pipeline.faces.geometry import transform
from pipeline.faces.tracking import MediaPipeTracker, Track, stretches
from pipeline.media import read_frames

EYES = slice(36, 48)


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """A face in a picture of 512 x 512, public domain."""
    return np.ascontiguousarray(data.astronaut()[..., :3])


@pytest.fixture(scope="module")
def truth(tracker: MediaPipeTracker, photograph: np.ndarray) -> np.ndarray:
    """Its landmarks, which `test_eyes_lie_where_another_detector_sees_them` holds to account."""
    return tracker.track([photograph] * 4).points[-1]


def _on_canvas(
    face: np.ndarray, scale: float, at: tuple[int, int], size: tuple[int, int] = (720, 1280)
) -> np.ndarray:
    """A grey canvas (height, width) with the picture on it, shrunk, its corner at (x, y)."""
    canvas = np.full((*size, 3), 90, np.uint8)
    small = cv2.resize(face, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    canvas[at[1] : at[1] + height, at[0] : at[0] + width] = small
    return canvas


def _placed(points: np.ndarray, scale: float, at: tuple[int, int]) -> np.ndarray:
    """Where `_on_canvas` puts landmarks."""
    return (points + 0.5) * scale - 0.5 + at


# --- what is found where --------------------------------------------------------------------------


def test_eyes_lie_where_another_detector_sees_them(truth: np.ndarray, photograph: np.ndarray):
    cascade = cv2.CascadeClassifier(f"{cv2.data.haarcascades}haarcascade_eye.xml")
    grey = cv2.cvtColor(photograph, cv2.COLOR_RGB2GRAY)[60:200, 150:300]
    boxes = sorted(cascade.detectMultiScale(grey, 1.05, 5).tolist())
    centres = [(150 + x + w / 2, 60 + y + h / 2) for x, y, w, h in boxes]
    assert len(centres) == 2
    np.testing.assert_allclose(truth[36:42].mean(0), centres[0], atol=5)
    np.testing.assert_allclose(truth[42:48].mean(0), centres[1], atol=5)


def test_the_68_points_lie_in_the_order_of_the_layout(truth: np.ndarray):
    # Subject's right is the picture's left. Rings are walked clockwise as seen, jaw left to right.
    assert (np.diff(truth[:17, 0]) > 0).all()
    assert truth[:17, 1].argmax() == 8  # the chin
    assert (np.diff(truth[17:27, 0]) > 0).all()
    assert (np.diff(truth[27:31, 1]) > 0).all()
    assert (np.diff(truth[31:36, 0]) > 0).all()
    for ring in (range(36, 42), range(42, 48), range(48, 60), range(60, 68)):
        x, y = truth[list(ring)].T
        area = (x * np.roll(y, -1) - y * np.roll(x, -1)).sum() / 2
        assert area > 0  # y points down: clockwise
        assert x.argmin() == 0
        assert x.argmax() == len(ring) // 2
    # Pairs that a formula takes as upper and lower: the eyes' lids, the inner lips' middle.
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46), (51, 57), (62, 66)):
        assert truth[upper, 1] < truth[lower, 1]
        assert abs(truth[upper, 0] - truth[lower, 0]) < 3
    # The inner lips lie within the outer ones.
    outer = truth[48:60].astype(np.float32)
    assert all(
        cv2.pointPolygonTest(outer, point.tolist(), measureDist=True) > -1
        for point in truth[60:68].astype(float)
    )


@pytest.mark.slow
def test_the_authors_own_clip_has_its_landmarks_where_they_say(
    tracker: MediaPipeTracker, shared_data: Path
):
    # The clip is as the authors prepared it; where these points lie in it was measured elsewhere.
    clip = shared_data / "clips" / "crema_1001_DFA_ANG_XX.mkv"
    track = tracker.track(read_frames(clip))
    assert track.found.all()
    assert track.faces == 1
    mean = track.points[:, STABLE_POINTS].mean(0) / 320
    np.testing.assert_allclose(mean, TEMPLATE, atol=0.02)


@pytest.mark.parametrize("degrees", [-45, 30])
def test_a_tilted_head_has_tilted_landmarks(
    tracker: MediaPipeTracker, photograph: np.ndarray, truth: np.ndarray, degrees: float
):
    centre = truth[30].tolist()
    matrix = cv2.getRotationMatrix2D(centre, degrees, 1.0)
    turned = cv2.warpAffine(photograph, matrix, (512, 512), borderMode=cv2.BORDER_REPLICATE)
    found = tracker.track([turned] * 4).points[-1]
    wanted = transform(truth, matrix)
    assert np.abs(found[17:] - wanted[17:]).mean() < 1.0  # of a face 80 pixels wide
    assert np.abs(found - wanted).max() < 5


@pytest.mark.parametrize("width", [35, 60, 75])
@pytest.mark.parametrize("at", [(20, 500), (900, 400), (640, 30)])
def test_a_small_face_in_a_large_frame_is_found(
    tracker: MediaPipeTracker,
    photograph: np.ndarray,
    truth: np.ndarray,
    width: int,
    at: tuple[int, int],
):
    face = photograph[20:230, 100:340]
    scale = width / np.ptp(truth[:, 0])
    frame = _on_canvas(face, scale, at)
    track = tracker.track([frame] * 3)
    assert track.found.all()
    wanted = _placed(truth - [100, 20], scale, at)
    assert np.abs(track.points[-1] - wanted).mean() < 0.015 * width


def test_a_small_real_face_in_a_large_frame_is_found(tracker: MediaPipeTracker, shared_data: Path):
    clip = shared_data / "clips" / "crema_1001_DFA_ANG_XX.mkv"
    frames = list(read_frames(clip))[:6]
    full = tracker.track(frames).points
    scale = 60 / np.ptp(full[0, :, 0])
    at = (1040, 380)
    track = tracker.track([_on_canvas(frame, scale, at) for frame in frames])
    assert track.found.all()
    assert np.abs(track.points - _placed(full, scale, at)).mean() < 1


# --- none, lost, found again, several -------------------------------------------------------------


def test_no_face_is_found_where_there_is_none(tracker: MediaPipeTracker):
    rng = np.random.default_rng(0)
    noise = list(rng.integers(0, 256, (3, 360, 480, 3)).astype(np.uint8))
    still_life = np.ascontiguousarray(data.coffee())
    black = np.zeros((360, 480, 3), np.uint8)
    for frames in (noise, [black] * 3, [still_life]):
        track = tracker.track(frames)
        assert track.points.shape == (len(frames), 68, 2)
        assert track.points.dtype == np.float32
        assert np.isnan(track.points).all()
        assert not track.found.any()
        assert track.faces == 0
    assert tracker.track([]).points.shape == (0, 68, 2)


def test_a_face_that_leaves_and_returns_elsewhere(
    tracker: MediaPipeTracker, photograph: np.ndarray, truth: np.ndarray
):
    empty = np.full((480, 640, 3), 90, np.uint8)
    face = photograph[:240, 90:350]
    left = _on_canvas(face, 1.0, (0, 0), (480, 640))
    right = _on_canvas(face, 1.0, (370, 230), (480, 640))
    track = tracker.track([left] * 3 + [empty] * 7 + [right] * 3)
    assert track.found.tolist() == [True] * 3 + [False] * 7 + [True] * 3
    assert np.abs(track.points[2] - (truth - [90, 0])).mean() < 1
    assert np.abs(track.points[-1] - (truth - [90, 0] + [370, 230])).mean() < 1


def test_a_cut_to_another_place_loses_no_frame(
    tracker: MediaPipeTracker, photograph: np.ndarray, truth: np.ndarray
):
    face = photograph[:240, 90:350]
    left = _on_canvas(face, 1.0, (0, 0), (480, 640))
    right = _on_canvas(face, 0.8, (400, 250), (480, 640))
    track = tracker.track([left] * 2 + [right] * 3)
    assert track.found.all()
    assert np.abs(track.points[-1] - _placed(truth - [90, 0], 0.8, (400, 250))).mean() < 1


@pytest.mark.slow
def test_a_small_face_that_returns_is_found_within_five_frames(
    tracker: MediaPipeTracker, photograph: np.ndarray
):
    # Only every fifth frame without a face is searched tile by tile.
    small = _on_canvas(photograph[20:230, 100:340], 0.5, (1000, 500))
    empty = np.full_like(small, 90)
    track = tracker.track([small] + [empty] * 6 + [small] * 6)
    assert track.found[0]
    assert not track.found[1:7].any()
    assert track.found[7 + 5 - 1 :].all()


def test_the_largest_of_several_faces_is_followed(
    tracker: MediaPipeTracker, photograph: np.ndarray, truth: np.ndarray
):
    face = photograph[:240, 90:350]
    frame = _on_canvas(face, 0.8, (10, 200), (480, 640))
    frame[100:340, 300:560] = face
    track = tracker.track([frame] * 2)
    assert track.faces == 2
    assert np.abs(track.points[-1] - (truth - [90, 0] + [300, 100])).mean() < 1


# --- the longest run ------------------------------------------------------------------------------


def _track(found: str) -> Track:
    """Landmarks that move by a pixel a frame, missing where the word has a dot."""
    frames = np.arange(len(found), dtype=np.float32)[:, None, None]
    points = np.broadcast_to(frames, (len(found), 68, 2)) + np.arange(68)[:, None]
    seen = np.array([letter == "x" for letter in found])[:, None, None]
    return Track(np.where(seen, points, np.nan).astype(np.float32), 1)


@pytest.mark.parametrize(
    ("found", "bridge", "cuts", "kept"),
    [
        ("xxxx", 5, [], [(0, 4, 0)]),
        ("..xx.", 5, [], [(2, 4, 0)]),
        ("xx..xxx", 2, [], [(0, 7, 2)]),
        ("xx...xxx", 2, [], [(0, 2, 0), (5, 8, 0)]),
        ("x.x.x...xxx", 1, [], [(0, 5, 2), (8, 11, 0)]),
        ("x.x", 0, [], [(0, 1, 0), (2, 3, 0)]),
        ("....", 5, [], []),
        ("", 5, [], []),
        ("xxxxx", 5, [2], [(0, 2, 0), (2, 5, 0)]),
        ("xxxxx", 5, [1, 4], [(0, 1, 0), (1, 4, 0), (4, 5, 0)]),
        ("xx.xx", 5, [2], [(0, 2, 0), (3, 5, 0)]),  # no interpolation across a cut
        ("xx.xx", 5, [3], [(0, 2, 0), (3, 5, 0)]),
        ("..xxx", 5, [1], [(2, 5, 0)]),
    ],
)
def test_stretches_bridge_short_gaps_and_end_at_cuts(
    found: str, bridge: int, cuts: list[int], kept: list[tuple[int, int, int]]
):
    parts = stretches(_track(found), bridge=bridge, cuts=cuts)
    assert [(p.frames.start, p.frames.stop, p.interpolated) for p in parts] == kept
    for part in parts:
        # Interpolated points continue the straight motion of the others.
        wanted = _track("x" * len(found)).points[part.frames]
        np.testing.assert_allclose(part.points, wanted.reshape(-1, 68, 2), atol=1e-5)
        assert part.points.dtype == np.float32
