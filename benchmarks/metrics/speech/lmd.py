"""LMD: how far the mouth's landmarks are from those of the real clip (Chen et al., 2018)."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.metric import Metric
from pipeline.faces.mouth_box import MOUTH

SIZE = 128
LMD = Metric(
    "lmd",
    "LMD",
    "lower",
    "mean distance of landmarks 48..67 (MediaPipe's mesh) between frame k of both clips, in pixels "
    "at 128 on the shorter side, mean points of both mouths brought together; over frames in which "
    "both have a face, then clips",
    unit="px",
    needs="a frame with a face in both videos",
)


def lmd(
    real: NDArray[np.floating], fake: NDArray[np.floating], real_side: int, fake_side: int
) -> float:
    """Mean landmark distance of two mouths in pixels at a shorter side of 128.

    Args:
        real: (T, 68, 2) in pixels of its frames; NaN where no face was found.
        fake: the same of the fake.
        real_side: pixels of the shorter side of the real frames.
        fake_side: the same of the fake's.

    Raises:
        ValueError: no frame has a face in both.
    """
    count = min(len(real), len(fake))
    x = np.asarray(real, np.float64)[:count, MOUTH] * (SIZE / real_side)
    y = np.asarray(fake, np.float64)[:count, MOUTH] * (SIZE / fake_side)
    both = ~(np.isnan(x).any((1, 2)) | np.isnan(y).any((1, 2)))
    if not both.any():
        raise ValueError("no frame has a face in both clips")
    x, y = x[both], y[both]
    x, y = x - x.mean(1, keepdims=True), y - y.mean(1, keepdims=True)
    return float(np.linalg.norm(x - y, axis=-1).mean())
