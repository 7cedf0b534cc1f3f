"""SSIM: how much of the local structure of one frame is found in another (Wang et al., 2004).

    SSIM(x, y) = (2 μx μy + C1)(2 σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2))

with means, variances and covariance under a Gaussian window, C1 = (0.01 · 255)² and
C2 = (0.03 · 255)². The paper states no window and no range; these are the field's defaults, those
of the original article, on RGB.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.metrics.metric import Metric

if TYPE_CHECKING:
    from numpy.typing import NDArray

SSIM = Metric(
    "ssim",
    "SSIM",
    "higher",
    "",
    "Gaussian window 11x11, sigma 1.5, K1 0.01, K2 0.03, RGB 0..255, mean over channels and over "
    "the pixels whose window lies inside the frame",
)
WINDOW = 11
_BORDER = WINDOW // 2
_BAND = 32  # rows at a time, so that the work stays in the cache
_KERNEL = cv2.getGaussianKernel(WINDOW, 1.5, cv2.CV_64F)
_C1 = (0.01 * 255) ** 2
_C2 = (0.03 * 255) ** 2


def ssim(real: NDArray[np.uint8], fake: NDArray[np.uint8]) -> float:
    """SSIM of two frames, in [-1, 1]; 1 means identical.

    Equals scikit-image's `structural_similarity` with `gaussian_weights=True, sigma=1.5,
    use_sample_covariance=False, data_range=255, channel_axis=2`, and is faster.

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
    height, width, channels = real.shape
    # float64: in float32 the variances of flat regions cancel to errors of 6e-5 in the mean.
    planes = np.empty((4, min(height, _BAND + 2 * _BORDER), width, channels), np.float64)
    means = np.empty_like(planes)
    total = 0.0
    for top in range(0, height - 2 * _BORDER, _BAND):
        rows = slice(top, top + _BAND + 2 * _BORDER)
        band = len(real[rows])
        total += _ssim_sum(real[rows], fake[rows], planes[:, :band], means[:, :band])
    return total / ((height - 2 * _BORDER) * (width - 2 * _BORDER) * channels)


def _ssim_sum(
    real: NDArray[np.uint8],
    fake: NDArray[np.uint8],
    planes: NDArray[np.float64],
    means: NDArray[np.float64],
) -> float:
    """Sum of SSIM over the pixels of a band whose whole window lies inside it.

    Everything is computed in `planes` and `means`, (4, H, W, C) each, which are overwritten: fresh
    arrays for the intermediate results cost more in page faults than the arithmetic.
    """
    x, y, xy, squares = planes
    x[:], y[:] = real, fake
    np.multiply(x, y, out=xy)
    np.multiply(x, x, out=squares)
    squares += np.multiply(y, y, out=means[0])
    for plane, mean in zip(planes, means, strict=True):
        cv2.sepFilter2D(plane, -1, _KERNEL, _KERNEL, dst=mean)

    inside = (slice(None), slice(_BORDER, -_BORDER), slice(_BORDER, -_BORDER))
    mean_x, mean_y, covariance, variances = means[inside]
    score, squared_means = planes[inside][:2]
    np.multiply(mean_x, mean_y, out=score)
    covariance -= score
    np.multiply(mean_x, mean_x, out=squared_means)
    squared_means += np.multiply(mean_y, mean_y, out=mean_y)
    variances -= squared_means
    score *= 2
    score += _C1
    covariance *= 2
    covariance += _C2
    squared_means += _C1
    variances += _C2
    score *= covariance
    score /= squared_means
    score /= variances
    return float(score.sum())
