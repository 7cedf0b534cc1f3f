"""CPBD: the share of edges too sharp for their blur to be seen (Narvekar & Karam, 2011).

An edge of width w in a block of some contrast is seen as blurred with probability

    P = 1 − exp(−(w / w_jnb)^3.6)

where w_jnb, the width of a just noticeable blur, is 5 pixels at a contrast of up to 50 and 3 above.
CPBD is the share of edges with P up to 63 %, what a just noticeable blur has. Widths are measured
along rows, from one extremum of brightness around the edge to the other (Marziliano et al., 2004).
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.metric import Metric

CPBD = Metric(
    "cpbd",
    "CPBD",
    "higher",
    "blocks of 64x64 with over 0.2 % edge pixels (Sobel across rows, thinned), widths along rows, "
    "just noticeable blur of 5 px up to contrast 50 and 3 px above, exponent 3.6; mean over the "
    "fake's frames at the compared size, then clips",
    needs="64 pixels a side",
)

_BLOCK, _LEAST = 64, 0.002
_EXPONENT = 3.6
_JUST_NOTICEABLE = 0.635  # the probabilities are binned by per cent; 63 is the last bin counted


def cpbd(frame: NDArray[np.uint8]) -> float:
    """Sharpness of a picture, 0 (every edge blurred) to 1; 0 as well where there is no edge.

    Args:
        frame: (H, W, 3) uint8 RGB, at least 64x64.

    Raises:
        ValueError: it is smaller than a block.
    """
    if min(frame.shape[:2]) < _BLOCK:
        raise ValueError(f"CPBD needs frames of at least {_BLOCK}x{_BLOCK}, not {frame.shape[:2]}")
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY).astype(np.float64)
    edges = vertical_edges(grey)
    widths = edge_widths(grey, edges)
    sharp = total = 0
    for top in range(0, grey.shape[0] - _BLOCK + 1, _BLOCK):
        for left in range(0, grey.shape[1] - _BLOCK + 1, _BLOCK):
            block = slice(top, top + _BLOCK), slice(left, left + _BLOCK)
            if np.count_nonzero(edges[block]) <= _LEAST * _BLOCK**2:
                continue
            contrast = int(grey[block].max() - grey[block].min())
            width = widths[block][widths[block] > 0]
            probability = 1 - np.exp(-((width / (5 if contrast <= 50 else 3)) ** _EXPONENT))
            sharp += int(np.count_nonzero(probability < _JUST_NOTICEABLE))
            total += len(width)
    return sharp / total if total else 0.0


def vertical_edges(grey: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Edges across rows: the Sobel gradient where it is strong and larger than beside it."""
    # Weights that sum to 1 in absolute value; cv2's sum to 8.
    gradient = cv2.Sobel(grey, cv2.CV_64F, 1, 0, borderType=cv2.BORDER_REFLECT) / 8
    strength = gradient**2
    strength[strength <= 2 * np.sqrt(strength.mean())] = 0
    padded = np.pad(strength, 1)
    peak_x = (strength > padded[1:-1, :-2]) & (strength > padded[1:-1, 2:])
    peak_y = (strength > padded[:-2, 1:-1]) & (strength > padded[2:, 1:-1])
    return np.asarray(peak_x | peak_y, np.bool_)


def edge_widths(grey: NDArray[np.float64], edges: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Width in pixels of each edge whose gradient lies within 22.5° of the row; 0 elsewhere.

    `grey`: (H, W); `edges`: (H, W); those in the outermost pixels are left out.
    """
    down, across = np.gradient(grey)
    # The angle to the nearest 45°, ties to even as the tool rounds: 0 rises, 180 falls.
    octant = np.abs(np.round(np.degrees(np.arctan2(down, across)) / 45))
    octant[across == 0] = 0
    inner = np.zeros_like(edges)
    inner[1:-1, 1:-1] = edges[1:-1, 1:-1]
    widths = np.zeros(grey.shape, np.int64)
    if not (across.any() or down.any()):
        return widths
    for direction, picture in ((0, grey), (4, -grey)):
        rows, columns = np.nonzero(inner & (octant == direction))
        left, right = _runs(picture)
        widths[rows, columns] = left[rows, columns - 1] + right[rows, columns + 1] + 2
    return widths


def _runs(rising: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For how many pixels brightness goes on falling to the left, and rising to the right."""
    height, width = rising.shape
    steps = np.diff(rising, axis=1) > 0
    left, right = np.zeros((height, width), np.int64), np.zeros((height, width), np.int64)
    for column in range(1, width):
        left[:, column] = np.where(steps[:, column - 1], left[:, column - 1] + 1, 0)
    for column in range(width - 2, -1, -1):
        right[:, column] = np.where(steps[:, column], right[:, column + 1] + 1, 0)
    return left, right
