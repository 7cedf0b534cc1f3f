"""F-MSE: the mean squared difference of consecutive frames (paper eq. 21).

The authors' script subtracts and squares bytes, which wrap modulo 256; the published numbers are
those. `f_mse` is the script's, `f_mse_equation` what eq. 21 says.
"""

import itertools
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.metric import Metric
from benchmarks.metrics.motion.ofm import small

F_MSE = Metric(
    "f_mse",
    "F-MSE",
    "closer",
    "consecutive frames at 128x128, bilinear; as the authors' script: difference and square in "
    "bytes, each modulo 256, mean over pixels, RGB, pairs, clips",
    variant="released",
    needs="two frames",
)
F_MSE_EQUATION = Metric(
    "f_mse_equation",
    "F-MSE (eq. 21)",
    "closer",
    "consecutive frames at 128x128, bilinear; mean squared difference over pixels, RGB, pairs, "
    "clips, values 0..255",
    needs="two frames",
)

_SQUARES = np.arange(256, dtype=np.float64) ** 2
# The script's square of a difference d = -255 … 255: d² mod 256, whatever the sign.
_WRAPPED = _SQUARES % 256


def f_mse(frames: Iterable[NDArray[np.uint8]]) -> tuple[float, float]:
    """Difference of consecutive frames: as the script measures it, and as eq. 21 defines it.

    Args:
        frames: (H, W, 3) uint8 RGB, at least two.

    Raises:
        ValueError: fewer than two frames.
    """
    released, squared = [], []
    for before, after in itertools.pairwise(map(small, frames)):
        # Both forms depend on how often each absolute difference occurs, and on nothing else.
        counts = np.bincount(cv2.absdiff(after, before).ravel(), minlength=256) / after.size
        released.append(float(counts @ _WRAPPED))
        squared.append(float(counts @ _SQUARES))
    if not released:
        raise ValueError("motion needs at least two frames")
    return float(np.mean(released)), float(np.mean(squared))
