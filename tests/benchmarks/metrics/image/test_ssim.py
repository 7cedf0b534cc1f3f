"""SSIM against scikit-image, torchmetrics and its closed form on constant frames."""

import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from benchmarks.metrics.image.ssim import ssim


def frames(shape, seed, spread):
    rng = np.random.default_rng(seed)
    real = rng.integers(0, 256, shape).astype(np.uint8)
    noise = rng.integers(-spread, spread + 1, shape)
    return real, np.clip(real + noise, 0, 255).astype(np.uint8)


def as_tensor(frame):
    return torch.from_numpy(frame.astype(np.float64)).permute(2, 0, 1)[None]


@pytest.mark.parametrize(
    ("shape", "spread"), [((96, 80, 3), 40), ((11, 30, 3), 4), ((75, 40, 1), 120)]
)
def test_equals_other_programs(shape, spread):
    # torchmetrics also averages the border, where it mirrors the frame; its map has both.
    real, fake = frames(shape, 3, spread)
    _, full = structural_similarity_index_measure(
        as_tensor(fake), as_tensor(real), data_range=255.0, return_full_image=True
    )
    assert ssim(real, fake) == pytest.approx(float(full[..., 5:-5, 5:-5].mean()), abs=1e-6)
    theirs = structural_similarity(
        real, fake, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255,
        channel_axis=2,
    )  # fmt: skip
    assert ssim(real, fake) == pytest.approx(theirs, abs=1e-12)


def test_closed_form_on_constant_frames():
    real = np.full((32, 32, 3), 100, np.uint8)
    fake = np.full((32, 32, 3), 150, np.uint8)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 150 + c1) / (100**2 + 150**2 + c1)
    assert ssim(real, fake) == pytest.approx(expected, abs=1e-9)


def test_identical_is_one_and_symmetric():
    real, fake = frames((50, 60, 3), 4, 30)
    assert ssim(real, real) == 1.0
    assert ssim(real, fake) == pytest.approx(ssim(fake, real), abs=1e-12)
    assert ssim(real, 255 - real) < 0


def test_refuses_other_shapes_and_frames_below_the_window():
    with pytest.raises(ValueError, match="different shapes"):
        ssim(np.zeros((20, 20, 3), np.uint8), np.zeros((20, 21, 3), np.uint8))
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(np.zeros((10, 20, 3), np.uint8), np.zeros((10, 20, 3), np.uint8))
