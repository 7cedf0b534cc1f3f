"""Mouth boxes: margin, rounding, clipping; wider than the lips, and inside the frame."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.faces.alignment import crop_landmarks, transforms
from pipeline.faces.mouth_box import mouth_boxes, mouth_opening
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import read_frames


def _lips(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """(1, 68, 2) landmarks whose lips just fill a rectangle; the rest of the face is elsewhere."""
    landmarks = np.full((1, 68, 2), 3.0, np.float32)
    t = np.linspace(0, 1, 20)
    landmarks[0, 48:, 0] = x0 + (x1 - x0) * t
    landmarks[0, 48:, 1] = y0 + (y1 - y0) * t[::-1]
    return landmarks


@pytest.mark.parametrize(
    ("lips", "size", "box"),
    [
        # Floor and ceiling, then five pixels at 128 (paper eq. 18).
        ((40.2, 80.7, 85.1, 99.9), 128, (35, 75, 91, 105)),
        ((40.0, 80.0, 85.0, 99.0), 128, (35, 75, 90, 104)),
        # The margin grows with the picture.
        ((40.2, 80.7, 85.1, 99.9), 256, (30, 70, 96, 110)),
        ((20.4, 40.4, 42.6, 50.1), 64, (18, 38, 45, 53)),
        # Clipped to the frame, x1 and y1 one beyond the last pixel.
        ((-9.5, 80.0, 30.0, 126.3), 128, (0, 75, 35, 128)),
        ((2.5, 2.5, 127.9, 30.0), 128, (0, 0, 128, 35)),
        # Out of sight: one pixel at the nearest edge.
        ((-90, 50, -40, 70), 128, (0, 45, 1, 75)),
        ((200, 50, 240, 70), 128, (127, 45, 128, 75)),
        ((200, 300, 240, 400), 128, (127, 127, 128, 128)),
    ],
)
def test_boxes_by_hand(lips: tuple[float, ...], size: int, box: tuple[int, ...]):
    got = mouth_boxes(_lips(*lips), size)
    assert got.dtype == np.int16
    assert got.tolist() == [list(box)]


def test_boxes_hold_up_on_any_landmarks():
    rng = np.random.default_rng(0)
    landmarks = rng.normal(64, 80, (500, 1, 2)) + rng.normal(0, 15, (500, 68, 2))
    x0, y0, x1, y1 = mouth_boxes(landmarks.astype(np.float32), 128).T
    assert (x0 >= 0).all()
    assert (y0 >= 0).all()
    assert (x1 <= 128).all()
    assert (y1 <= 128).all()
    assert (x0 < x1).all()
    assert (y0 < y1).all()


@pytest.mark.slow
def test_the_lips_of_a_real_clip_lie_in_their_boxes(tracker: MediaPipeTracker, shared_data: Path):
    clip = shared_data / "clips" / "crema_1001_DFA_ANG_XX.mkv"
    points = tracker.track(read_frames(clip)).points
    landmarks = crop_landmarks(points, transforms(points, 128, "authors"))
    boxes = mouth_boxes(landmarks, 128)
    lips = landmarks[:, 48:]
    # Five pixels around the lips on every side, six where they lie between pixels.
    assert ((lips.min(1) - boxes[:, :2] >= 5) & (lips.min(1) - boxes[:, :2] < 6)).all()
    assert ((boxes[:, 2:] - lips.max(1) >= 5) & (boxes[:, 2:] - lips.max(1) < 6)).all()
    # And it is a mouth: wider than high, below the nose, the height following the jaw.
    assert (np.diff(boxes.reshape(-1, 2, 2), axis=1)[:, 0] @ [1, -1] > 0).all()
    assert (boxes[:, 3] > landmarks[:, 33, 1]).all()
    opening = mouth_opening(landmarks)
    assert opening.max() > 0.08
    assert np.corrcoef(opening, boxes[:, 3] - boxes[:, 1])[0, 1] > 0.8


def test_opening_is_a_share_of_the_eyes_distance_whatever_size_and_tilt():
    landmarks = np.zeros((2, 68, 2))
    landmarks[:, 36], landmarks[:, 45] = [10, 10], [110, 10]
    landmarks[:, 62], landmarks[1, 66] = [60, 80], [60, 105]
    landmarks[0, 66] = [60, 80]
    np.testing.assert_allclose(mouth_opening(landmarks), [0, 0.25])
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    np.testing.assert_allclose(mouth_opening(3.7 * landmarks @ turn + 9), [0, 0.25], atol=1e-12)
