"""Head pose from 68 landmarks: yaw, pitch and roll by fitting an average face."""

import cv2
import numpy as np
from numpy.typing import NDArray

# Temples, bridge, tip and base of the nose, corners of the eyes: points that a talking mouth leaves
# where they are. With chin and lips among them, an open mouth reads as a head turned by 30 degrees.
_POINTS = (0, 16, 27, 28, 30, 33, 36, 39, 42, 45)
# Where they lie in MediaPipe's canonical face (Apache-2.0): millimetres, x to the right of the
# picture, y down, z away from the camera.
_HEAD = np.array(
    [[-77.4, -23.6, 20.1], [77.4, -23.6, 20.1], [0, -32.7, -52.4], [0, -24.7, -57.9],
     [0, 4.6, -75.9], [0, 20.9, -60.6], [-44.5, -26.6, -31.7], [-18.6, -25.9, -37.6],
     [18.6, -25.9, -37.6], [44.5, -26.6, -31.7]]
)  # fmt: skip


def head_pose(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """(3,) yaw, pitch and roll in degrees of one face with (68, 2) landmarks in pixels.

    Yaw is positive when the face turns to the right of the picture, pitch when it looks down, roll
    when the head tilts clockwise. NaN when the fit fails.
    """
    points = np.asarray(landmarks, np.float64)[list(_POINTS)]
    # A long lens: faces are far from the camera compared with their depth.
    focal = 10 * float(np.ptp(points, axis=0).max())
    centre = points.mean(0)
    camera = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    try:
        found, rotation, _ = cv2.solvePnP(_HEAD, points, camera, None, flags=cv2.SOLVEPNP_SQPNP)
    except cv2.error:  # points that coincide
        found = False
    if not found:
        return np.full(3, np.nan)
    matrix = cv2.Rodrigues(rotation)[0]
    forward = matrix @ np.array([0.0, 0.0, -1.0])
    yaw = np.degrees(np.arctan2(forward[0], -forward[2]))
    pitch = np.degrees(np.arctan2(forward[1], -forward[2]))
    right = matrix @ np.array([1.0, 0.0, 0.0])
    roll = np.degrees(np.arctan2(right[1], right[0]))
    return np.array([yaw, pitch, roll])
