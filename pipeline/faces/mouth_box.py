"""Mouths in landmarks: the box the lip loss looks at, and how far the lips are open."""

import numpy as np
from numpy.typing import NDArray

MOUTH = slice(48, 68)
_MARGIN = 5 / 128  # the paper's 5 pixels at 128 x 128


def mouth_boxes(landmarks: NDArray[np.float32], size: int) -> NDArray[np.int16]:
    """The mouth box of every frame (paper eq. 18).

    Landmarks 48 … 67 of (T, 68, 2), floored and ceiled, with a margin of 5 pixels at 128 x 128 (in
    proportion at other sizes), clipped to the frame: (T, 4) int16 x0 y0 x1 y1, half open. A mouth
    outside the frame gives a box of one pixel at the nearest edge.
    """
    margin = max(1, round(_MARGIN * size))
    points = landmarks[:, MOUTH]
    low = np.floor(points.min(1)) - margin
    high = np.ceil(points.max(1)) + margin
    low = np.clip(low, 0, size - 1)
    high = np.clip(np.maximum(high, low + 1), 1, size)
    return np.concatenate([low, high], axis=1).astype(np.int16)


def mouth_opening(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Gap between the inner lips (62, 66) as a share of the distance between the outer eye corners.

    (T, 68, 2) in any unit to (T,): 0 when closed, about 0.3 when wide open.
    """
    gap = np.linalg.norm(landmarks[:, 62] - landmarks[:, 66], axis=-1)
    eyes = np.linalg.norm(landmarks[:, 36] - landmarks[:, 45], axis=-1)
    return np.asarray(gap / np.maximum(eyes, 1e-6), np.float64)
