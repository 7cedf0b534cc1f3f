"""MSE: the mean squared difference of two frames, as in the paper's ablation."""

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.metric import Metric

MSE = Metric("mse", "MSE", "lower", "mean squared error over all pixels and RGB channels, 0..255")


def mse(real: NDArray[np.uint8], fake: NDArray[np.uint8]) -> float:
    """Mean squared difference of two frames, 0 to 255².

    Args:
        real: (H, W, C) uint8.
        fake: the same shape.

    Raises:
        ValueError: the shapes differ or the frames are empty.
    """
    if real.shape != fake.shape or real.size == 0:
        raise ValueError(f"frames of different or empty shapes: {real.shape} and {fake.shape}")
    return float(cv2.norm(real, fake, cv2.NORM_L2SQR)) / real.size
