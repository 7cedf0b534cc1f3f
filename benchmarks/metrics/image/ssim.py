"""SSIM: how much of the local structure of one frame is found in another (Wang et al., 2004).

    SSIM(x, y) = (2 μx μy + C1)(2 σxy + C2) / ((μx² + μy² + C1)(σx² + σy² + C2))

with means, variances and covariance under a Gaussian window, C1 = (0.01 · 255)² and
C2 = (0.03 · 255)². The paper states no window and no range; these are the field's defaults, those
of the original article, on RGB.
"""

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


def ssim(real: NDArray[np.uint8], fake: NDArray[np.uint8]) -> float:
    """SSIM of two frames by scikit-image, in [-1, 1]; 1 means identical.

    Args:
        real: (H, W, C) uint8 with H and W at least 11.
        fake: the same shape.

    Raises:
        ValueError: the shapes differ, or a side is shorter than the window.
    """
    from skimage.metrics import structural_similarity

    if real.shape != fake.shape:
        raise ValueError(f"frames of different shapes: {real.shape} and {fake.shape}")
    if min(real.shape[:2]) < WINDOW:
        raise ValueError(f"SSIM needs frames of at least {WINDOW}x{WINDOW}, not {real.shape[:2]}")
    value = structural_similarity(
        real,
        fake,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
    )
    return float(value)
