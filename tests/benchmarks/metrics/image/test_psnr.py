"""PSNR against scikit-image, torchmetrics and its closed form."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio
from torchmetrics.functional.image import peak_signal_noise_ratio as torch_psnr

from benchmarks.metrics.image.psnr import CEILING, psnr


def frames(shape, seed=0):
    rng = np.random.default_rng(seed)
    return tuple(rng.integers(0, 256, shape).astype(np.uint8) for _ in range(2))


@pytest.mark.parametrize("shape", [(1, 1, 3), (17, 31, 3), (128, 128, 3)])
def test_equals_scikit_image_and_torchmetrics(shape):
    real, fake = frames(shape)
    value = psnr(real, fake)
    assert value == pytest.approx(peak_signal_noise_ratio(real, fake, data_range=255), abs=1e-10)
    tensors = (torch.from_numpy(frame.astype(np.float64)) for frame in (fake, real))
    assert value == pytest.approx(float(torch_psnr(*tensors, data_range=255.0)), abs=1e-4)


@pytest.mark.parametrize("error", [1, 10, 255])
def test_closed_form_of_a_constant_error(error):
    real = np.zeros((16, 16, 3), np.uint8)
    assert psnr(real, real + np.uint8(error)) == pytest.approx(20 * math.log10(255 / error))


def test_one_channel_counts_a_third():
    real = np.zeros((16, 16, 3), np.uint8)
    fake = real.copy()
    fake[..., 0] = 30
    assert psnr(real, fake) == pytest.approx(10 * math.log10(255**2 / (900 / 3)))


def test_large_frames_do_not_overflow():
    black = np.zeros((1080, 1920, 3), np.uint8)
    assert psnr(black, ~black) == pytest.approx(0.0, abs=1e-12)


def test_identical_frames_have_the_ceiling_and_the_least_difference_is_below_it():
    real, _ = frames((128, 128, 3))
    nearly = real.copy()
    nearly[0, 0, 0] ^= 1
    assert psnr(real, real) == CEILING
    assert psnr(real, nearly) == pytest.approx(10 * math.log10(255**2 * 128 * 128 * 3))
    assert psnr(real, nearly) < CEILING


def test_refuses_other_shapes():
    with pytest.raises(ValueError, match="shapes"):
        psnr(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8))
    with pytest.raises(ValueError, match="empty"):
        psnr(np.zeros((0, 4, 3), np.uint8), np.zeros((0, 4, 3), np.uint8))
