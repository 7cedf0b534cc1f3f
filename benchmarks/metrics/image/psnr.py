"""PSNR: the mean squared error of a frame on a logarithmic scale, 10 log10(255² / MSE)."""

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.image.mse import mse
from benchmarks.metrics.metric import Metric

CEILING = 100.0
PSNR = Metric(
    "psnr",
    "PSNR",
    "higher",
    "from the mean squared error over all pixels and RGB channels of a frame, peak 255, in dB; "
    f"at most {CEILING:.0f} dB, which is what identical frames count as",
    unit="dB",
)


def psnr(real: NDArray[np.uint8], fake: NDArray[np.uint8]) -> float:
    """PSNR of two frames in dB, in [0, 100].

    Identical frames have no finite PSNR, and one of them would make the mean over a clip
    infinite. They count as 100 dB, above what any two different 128x128 frames can have (95 dB).

    Args:
        real: (H, W, C) uint8.
        fake: the same shape.

    Raises:
        ValueError: the shapes differ or the frames are empty.
    """
    mean_squared_error = mse(real, fake)
    if mean_squared_error == 0:
        return CEILING
    return min(CEILING, 10 * math.log10(255**2 / mean_squared_error))
