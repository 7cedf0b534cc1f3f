"""Whether landmarks are those of a face, and how much of a crop its picture does not show."""

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.geometry import invert, transform
from pipeline.faces.tracking import NO_FACE, FrameLandmarks

# Wide enough for heads in profile; in distances of the outer eye corners where no unit is given.
_EYES = 10.0  # times that one eye is wider than the other
_TILT = 35.0  # degrees between eyes to mouth and the axis of the face
_NEAR, _FAR = 0.4, 3.5  # eyes to mouth
_BESIDE = 0.5  # mouth outside the outline of the face


def is_plausible(points: NDArray[np.floating]) -> bool:
    """Whether (68, 2) landmarks are a face's: mouth below alike eyes and inside the jaw.

    Below and above go by the face's own axis, so that a tilted head is one too.
    """
    across = points[45] - points[36]
    distance = float(np.linalg.norm(across))
    one, other = (float(np.linalg.norm(points[k] - points[k + 3])) for k in (36, 42))
    if not min(distance, one, other) > 0 or max(one, other) > _EYES * min(one, other):
        return False
    # The mouth's centre, with the eyes' centre as origin and their line as x.
    mouth = points[48:60].mean(0) - points[36:48].mean(0)
    x, y = across / distance
    right, down = mouth @ (x, y) / distance, mouth @ (-y, x) / distance
    if not _NEAR < down < _FAR or abs(np.degrees(np.arctan2(right, down))) > _TILT:
        return False
    outline = np.concatenate([points[:17], points[26:16:-1]]).astype(np.float32)
    centre = points[48:60].mean(0).tolist()
    inside = cv2.pointPolygonTest(cv2.convexHull(outline), centre, measureDist=True)
    return bool(inside > -_BESIDE * distance)


def plausible(frame: FrameLandmarks) -> FrameLandmarks:
    """The frame, without landmarks that are no face's."""
    found = not np.isnan(frame.points[0, 0])
    return replace(frame, points=NO_FACE) if found and not is_plausible(frame.points) else frame


def outside_share(
    matrices: NDArray[np.floating], size: int, picture: tuple[int, int]
) -> NDArray[np.float64]:
    """The share of each crop that its picture does not show, and that is therefore black: (T,).

    `matrices` are (T, 2, 3), pixels of the picture to pixels of the crop; `picture` is width and
    height.
    """
    low, high = -0.5, size - 0.5
    corners = np.array([[low, low], [high, low], [high, high], [low, high]])
    width, height = picture[0] - 0.5, picture[1] - 0.5
    shown = np.array([[-0.5, -0.5], [width, -0.5], [width, height], [-0.5, height]], np.float32)
    shares = []
    for matrix in matrices:
        crop = transform(corners, invert(matrix))
        inside = cv2.intersectConvexConvex(crop, shown)[0]
        shares.append(1 - inside / cv2.contourArea(crop))
    return np.clip(shares, 0, 1)
