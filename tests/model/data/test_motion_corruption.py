"""Corruption of motion frames: each kind as described, in proportion to the level."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage import data
from skimage.metrics import peak_signal_noise_ratio
from skimage.transform import resize

from model.config.recipe import MotionCorruption
from model.data.motion_corruption import _WORST_QUALITY, corrupt


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """A public-domain face, 64 x 64."""
    crop = data.astronaut()[:220, 110:330]
    return (resize(crop, (64, 64), anti_aliasing=True) * 255).round().astype(np.uint8)


def corrupted(face: np.ndarray, level: float, seed: int = 0, **strength: float) -> np.ndarray:
    return corrupt([face], MotionCorruption(**strength), level, np.random.default_rng(seed))[0]


def test_blur_is_a_gaussian_in_per_cent_of_the_side(face: np.ndarray):
    sigma = 0.03 * 64 * 0.5
    expected = gaussian_filter(face.astype(float), (sigma, sigma, 0), mode="mirror", truncate=4)
    np.testing.assert_allclose(corrupted(face, 0.5, blur=3), expected, atol=1.5)


def test_colours_shift_by_no_more_than_the_strength_and_differ_by_seed(face: np.ndarray):
    grey = np.full((8, 8, 3), 128, np.uint8)
    shifts = np.array([corrupted(grey, 0.5, seed, colour=0.2)[0, 0] for seed in range(200)]) - 127.5
    assert np.abs(shifts).max() <= 255 * 0.1 + 1
    assert np.abs(shifts).max() > 255 * 0.08
    assert np.abs(shifts.mean(0)).max() < 4
    assert len({tuple(shift) for shift in shifts}) > 150
    contrast = [corrupted(face, 1, seed, colour=0.2).std() / face.std() for seed in range(50)]
    assert 0.75 < min(contrast) < 0.9
    assert 1.0 < max(contrast) < 1.25


def test_compression_grows_with_the_level(face: np.ndarray):
    psnr = [
        peak_signal_noise_ratio(face, corrupted(face, level, compression=1))
        for level in (0.1, 0.5, 0.9, 1.0)
    ]
    assert psnr == sorted(psnr, reverse=True)
    assert psnr[0] > 32
    assert psnr[-1] < 27


def test_compression_is_that_of_jpeg_with_the_colours_where_they_are(face: np.ndarray):
    red = np.zeros((64, 64, 3), np.uint8)
    red[:, ::2, 0] = 255  # fine red: half of its colour is lost, and the other channels gain it
    buffer = io.BytesIO()
    Image.fromarray(red).save(buffer, "JPEG", quality=40)
    reference = np.asarray(Image.open(buffer)).astype(float)
    ours = corrupted(red, (100 - 40) / (100 - _WORST_QUALITY), compression=1).astype(float)
    np.testing.assert_allclose(ours.mean((0, 1)), reference.mean((0, 1)), atol=3)
    assert reference.mean((0, 1))[0] > reference.mean((0, 1))[2] + 50


def test_nothing_is_done_at_level_zero_or_without_strength(face: np.ndarray):
    everything = {"blur": 3.0, "colour": 0.2, "compression": 1.0}
    np.testing.assert_array_equal(corrupted(face, 0, **everything), face)
    np.testing.assert_array_equal(corrupted(face, 1), face)
    assert MotionCorruption(blur=1).any
    assert not MotionCorruption(level_as_input=True).any


def test_neighbours_are_given_the_same_damage(face: np.ndarray):
    strength = MotionCorruption(blur=2, colour=0.2, compression=0.8)
    first, second = corrupt([face, face], strength, 0.7, np.random.default_rng(1))
    np.testing.assert_array_equal(first, second)
