"""Sharpness: the frequency of waves and spectra, and blurred faces below sharp ones."""

import itertools
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data

from pipeline.faces.alignment import crop, transforms
from pipeline.faces.sharpness import _BOTTOM, _LEFT, _RIGHT, _TOP, sharpness
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import read_frames


@pytest.fixture(scope="module")
def crops(tracker: MediaPipeTracker, shared_data: Path) -> dict[str, np.ndarray]:
    """One crop of 128 pixels of each of a dozen real clips."""
    found = {}
    for path in sorted((shared_data / "clips").iterdir())[::9]:
        frames = list(itertools.islice(read_frames(path), 3))
        points = tracker.track(frames).points
        if not np.isnan(points).any():
            found[path.name] = next(crop(frames[2:], transforms(points[2:], 128, "none"), 128))
    assert len(found) >= 10
    return found


def _waves(side: int, *, across: float, down: float, contrast: float = 40) -> np.ndarray:
    """A crop of two waves, of so many cycles a pixel across and down."""
    y, x = np.mgrid[:side, :side]
    wave = np.cos(2 * np.pi * across * x) + np.cos(2 * np.pi * down * y)
    return np.repeat(np.rint(128 + contrast * wave)[..., None], 3, 2).astype(np.uint8)


@pytest.mark.parametrize("side", [96, 128, 256])
@pytest.mark.parametrize(("across", "down"), [(0.1, 0.2), (0.25, 0.08), (0.05, 0.05), (0.4, 0.3)])
def test_a_wave_has_its_own_frequency_and_the_lower_one_counts(
    side: int, across: float, down: float
):
    got = sharpness(_waves(side, across=across, down=down))
    # Grey levels are whole numbers, which adds a little noise to slow waves.
    assert got == pytest.approx(min(across, down), abs=0.004)


def test_it_is_the_second_moment_of_the_spectrum_of_the_gradient():
    picture = cv2.resize(data.astronaut()[:256, 90:346], (128, 128))
    face = picture[
        round(_TOP * 128) : round(_BOTTOM * 128), round(_LEFT * 128) : round(_RIGHT * 128)
    ]
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(float)
    found = []
    for rows in (grey, grey.T):
        # Mirrored, a row is periodic without a jump, as a transform wants it.
        spectrum = np.abs(np.fft.rfft(np.concatenate([rows, rows[:, ::-1]], 1), axis=1)) ** 2
        response = 4 * np.sin(np.pi * np.fft.rfftfreq(2 * rows.shape[1])) ** 2
        factor = (spectrum * response**2).sum() / (spectrum * response).sum()
        found.append(np.arcsin(np.sqrt(factor) / 2) / np.pi)
    assert sharpness(picture) == pytest.approx(min(found), rel=0.03)


def test_white_noise_has_the_frequency_of_its_differences():
    noise = np.random.default_rng(0).integers(0, 256, (512, 512, 1)).repeat(3, 2).astype(np.uint8)
    # Var(a - 2b + c) / Var(a - b) = 6 / 2.
    assert sharpness(noise) == pytest.approx(np.arcsin(np.sqrt(3) / 2) / np.pi, abs=0.002)


def _enlarged(picture: np.ndarray, factor: int) -> np.ndarray:
    small = cv2.resize(picture, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    return cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)


def _moved(picture: np.ndarray, pixels: int) -> np.ndarray:
    kernel = np.zeros((pixels, pixels), np.float32)
    kernel[pixels // 2] = 1 / pixels
    return cv2.filter2D(picture, -1, kernel)


def test_every_real_face_is_sharper_than_what_was_made_softer(crops: dict[str, np.ndarray]):
    for name, picture in crops.items():
        blurred = [sharpness(cv2.GaussianBlur(picture, (0, 0), sigma)) for sigma in (0.7, 1, 2)]
        steps = [sharpness(picture), *blurred]
        assert steps == sorted(steps, reverse=True), name
        enlarged = [sharpness(_enlarged(picture, factor)) for factor in (2, 3)]
        steps = [sharpness(picture), *enlarged]
        assert steps == sorted(steps, reverse=True), name
        for moved in (_moved(picture, 7), _moved(picture.swapaxes(0, 1), 7).swapaxes(0, 1)):
            assert sharpness(np.ascontiguousarray(moved)) < sharpness(picture) - 0.015, name


def test_sharp_clips_stand_above_all_softened_ones(crops: dict[str, np.ndarray]):
    sharp = [sharpness(picture) for picture in crops.values()]
    soft = [sharpness(_enlarged(picture, 3)) for picture in crops.values()]
    assert np.percentile(sharp, 10) > max(soft)


def test_contrast_exposure_and_storage_hardly_change_it(crops: dict[str, np.ndarray]):
    for name, picture in crops.items():
        stored = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1], 1)
        for other in (picture * 0.6 + 40, picture * 0.5, stored):
            got = sharpness(other.astype(np.uint8))
            assert got == pytest.approx(sharpness(picture), abs=0.009), name


def test_a_flat_face_has_none():
    assert np.isnan(sharpness(np.full((128, 128, 3), 90, np.uint8)))
