"""SSIM against scikit-image, torchmetrics and its closed form on constant frames."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import structural_similarity
from torchmetrics.functional.image import structural_similarity_index_measure

from benchmarks.metrics.ssim import ssim
from pipeline.media import read_frames


def reference(real, fake):
    return structural_similarity(
        real,
        fake,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        data_range=255,
        channel_axis=2,
    )


def frames(shape, seed, spread):
    rng = np.random.default_rng(seed)
    real = rng.integers(0, 256, shape).astype(np.uint8)
    noise = rng.integers(-spread, spread + 1, shape)
    return real, np.clip(real + noise, 0, 255).astype(np.uint8)


# Heights around the band of 32 rows in which it works, and the smallest frame there is.
@pytest.mark.parametrize(
    "shape", [(11, 11, 3), (42, 30, 3), (43, 30, 3), (128, 128, 3), (75, 40, 1)]
)
@pytest.mark.parametrize("spread", [4, 120])
def test_equals_scikit_image_on_noise(shape, spread):
    real, fake = frames(shape, 1, spread)
    assert ssim(real, fake) == pytest.approx(reference(real, fake), abs=1e-10)


@pytest.mark.parametrize("level", [0, 3, 128, 250])
def test_equals_scikit_image_where_variances_cancel(level):
    rng = np.random.default_rng(2)
    real = np.full((64, 64, 3), level, np.uint8) + rng.integers(0, 3, (64, 64, 3), np.uint8)
    fake = np.full((64, 64, 3), level, np.uint8) + rng.integers(0, 6, (64, 64, 3), np.uint8)
    assert ssim(real, fake) == pytest.approx(reference(real, fake), abs=1e-10)


def test_equals_scikit_image_on_a_real_face(shared_data):
    path = shared_data / "clips" / "crema_1001_DFA_ANG_XX.mkv"
    for index, frame in enumerate(read_frames(path)):
        if index % 20 == 0:
            blurred = cv2.GaussianBlur(frame, (9, 9), 2)
            value = ssim(frame, blurred)
            assert value == pytest.approx(reference(frame, blurred), abs=1e-10)
            assert 0.5 < value < 0.99


def as_tensor(frame):
    return torch.from_numpy(frame.astype(np.float64)).permute(2, 0, 1)[None]


def test_equals_torchmetrics_inside_the_border():
    # torchmetrics also averages the border, where it mirrors the frame; its map has both.
    real, fake = frames((96, 80, 3), 3, 40)
    _, full = structural_similarity_index_measure(
        as_tensor(fake), as_tensor(real), data_range=255.0, return_full_image=True
    )
    assert ssim(real, fake) == pytest.approx(float(full[..., 5:-5, 5:-5].mean()), abs=1e-6)


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


def test_frames_are_not_changed():
    real, fake = frames((50, 60, 3), 5, 30)
    before = real.copy(), fake.copy()
    ssim(real, fake)
    assert np.array_equal(real, before[0])
    assert np.array_equal(fake, before[1])


def test_refuses_other_shapes_and_frames_below_the_window():
    with pytest.raises(ValueError, match="different shapes"):
        ssim(np.zeros((20, 20, 3), np.uint8), np.zeros((20, 21, 3), np.uint8))
    with pytest.raises(ValueError, match="at least 11x11"):
        ssim(np.zeros((10, 20, 3), np.uint8), np.zeros((10, 20, 3), np.uint8))
