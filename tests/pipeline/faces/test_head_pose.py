"""Head pose of a model head that is turned by known angles and projected by hand."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from pipeline.faces.head_pose import _HEAD, _POINTS, head_pose
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import read_frames


def _seen(yaw: float, pitch: float, roll: float, *, distance: float = 2000.0) -> np.ndarray:
    """Landmarks of the model head, turned by yaw, pitch, then roll, before a pinhole camera."""
    # x right, y down, z away from the camera: +yaw turns the nose (-z) to +x, +pitch to +y.
    turn = Rotation.from_euler("ZXY", [roll, pitch, -yaw], degrees=True)  # yaw is first to act
    points = turn.apply(_HEAD) + np.array([0, 0, distance])
    landmarks = np.full((68, 2), np.nan)
    landmarks[list(_POINTS)] = 1500 * points[:, :2] / points[:, 2:] + [320, 240]
    return landmarks


@pytest.mark.parametrize("yaw", [-50, -20, 0, 20, 50])
def test_yaw_is_positive_to_the_right_of_the_picture(yaw: float):
    landmarks = _seen(yaw, 0, 0)
    if yaw:  # the nose leads the way, between the corners of the eyes
        middle = (landmarks[36, 0] + landmarks[45, 0]) / 2
        assert np.sign(landmarks[30, 0] - middle) == np.sign(yaw)
    np.testing.assert_allclose(head_pose(landmarks), [yaw, 0, 0], atol=4)


@pytest.mark.parametrize("pitch", [-30, -10, 10, 30])
def test_pitch_is_positive_when_looking_down(pitch: float):
    np.testing.assert_allclose(head_pose(_seen(0, pitch, 0)), [0, pitch, 0], atol=4)


@pytest.mark.parametrize("roll", [-40, -10, 10, 40])
def test_roll_is_positive_clockwise(roll: float):
    landmarks = _seen(0, 0, roll)
    assert np.sign(landmarks[45, 1] - landmarks[36, 1]) == np.sign(roll)
    np.testing.assert_allclose(head_pose(landmarks), [0, 0, roll], atol=4)


def test_pose_does_not_depend_on_place_and_size():
    landmarks = _seen(25, 0, 10)
    np.testing.assert_allclose(head_pose(landmarks), head_pose(landmarks * 0.2 + 900), atol=0.5)


def test_no_fit_is_not_a_number():
    assert np.isnan(head_pose(np.full((68, 2), 5.0))).all()
    assert np.isnan(head_pose(np.full((68, 2), np.nan))).all()


@pytest.mark.parametrize("name", ["crema_1001_DFA_ANG_XX.mkv", "grid_eval_bbaf2n.mpg"])
def test_a_real_face_looks_into_the_camera_however_its_mouth_moves(
    tracker: MediaPipeTracker, shared_data: Path, name: str
):
    clip = shared_data / "clips" / name
    points = tracker.track(list(read_frames(clip))[::10]).points
    poses = np.stack([head_pose(p) for p in points])
    # They look straight ahead, talking: the mouth opens wide and closes.
    assert np.abs(poses).max() < 10
    assert np.ptp(poses[:, 0]) < 5
    # Mirrored, the face turns and tilts the other way and nods the same.
    order = np.r_[
        16:-1:-1, 26:16:-1, 27:31, 35:30:-1, 45:41:-1, 47:45:-1, 39:35:-1, 41:39:-1,
        54:47:-1, 59:54:-1, 64:59:-1, 67:64:-1,
    ]  # fmt: skip
    mirrored = (points * [-1, 1])[:, order]
    other = np.stack([head_pose(p) for p in mirrored])
    np.testing.assert_allclose(other, poses * [-1, 1, -1], atol=0.5)
