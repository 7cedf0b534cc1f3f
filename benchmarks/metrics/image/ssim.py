"""SSIM: how much of the local structure of one frame is found in another (Wang et al., 2004).

    SSIM(x, y) = (2 μx μy + C1)(2 σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2))

with means, variances and covariance under a Gaussian window, C1 = (0.01 · 255)² and
C2 = (0.03 · 255)². The paper states no window and no range; these are the field's defaults, those
of the original article, on RGB.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.metric import Metric

SSIM = Metric(
    "ssim",
    "SSIM",
    "higher",
    "Gaussian window 11x11, sigma 1.5, K1 0.01, K2 0.03, RGB 0..255, mean over channels and over "
    "the pixels whose window lies inside the frame",
    needs="11 pixels a side",
)
WINDOW = 11
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim(real: NDArray[np.uint8], fake: NDArray[np.uint8]) -> float:
    """SSIM of two frames, in [-1, 1]; 1 means identical.

    Equals scikit-image's `structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=255, channel_axis=2`, in half the time.

    Args:
        real: (H, W, C) uint8 with H and W at least 11.
        fake: the same shape.

    Raises:
        ValueError: the shapes differ, or a side is shorter than the window.
    """
    if real.shape != fake.shape:
        raise ValueError(f"frames of different shapes: {real.shape} and {fake.shape}")
    if min(real.shape[:2]) < WINDOW:
        raise ValueError(f"SSIM needs frames of at least {WINDOW}x{WINDOW}, not {real.shape[:2]}")
    # float64: in float32 the variances of flat regions cancel to errors of 6e-5 in the mean.
    x, y = real.astype(np.float64), fake.astype(np.float64)
    mean_x, mean_y = _local_mean(x), _local_mean(y)
    products, squares = mean_x * mean_y, mean_x**2 + mean_y**2
    covariance = _local_mean(x * y) - products
    variances = _local_mean(x**2 + y**2) - squares
    likeness = (2 * products + _C1) * (2 * covariance + _C2)
    return float(np.mean(likeness / ((squares + _C1) * (variances + _C2))))


def _local_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means under the window, where it lies inside the frame: (H - 10, W - 10, C)."""
    border = WINDOW // 2
    blurred = cv2.GaussianBlur(values, (WINDOW, WINDOW), 1.5)
    return np.asarray(blurred[border:-border, border:-border])
