"""MSE against scikit-image."""

import numpy as np
import pytest
from skimage.metrics import mean_squared_error

from benchmarks.metrics.image.mse import mse


def test_equals_scikit_image():
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 256, (2, 60, 47, 3)).astype(np.uint8)
    assert mse(real, fake) == pytest.approx(mean_squared_error(real, fake), rel=1e-12)
    assert mse(real, real) == 0
    assert mse(np.zeros_like(real), np.full_like(real, 255)) == pytest.approx(255**2)


def test_other_shapes_are_refused():
    frame = np.zeros((8, 8, 3), np.uint8)
    for other in (frame[:4], frame[..., :1]):
        with pytest.raises(ValueError, match="different or empty shapes"):
            mse(frame, other)
    with pytest.raises(ValueError, match="different or empty shapes"):
        mse(frame[:0], frame[:0])
