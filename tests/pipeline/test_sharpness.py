"""Sharpness: the blur effect as scikit-image has it, and blurred faces below sharp ones."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from skimage import data
from skimage.measure import blur_effect

from pipeline.alignment import crop, transforms
from pipeline.media import read_frames
from pipeline.sharpness import _BOTTOM, _LEFT, _RIGHT, _TOP, sharpness

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.landmarks import MediaPipeTracker


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


@pytest.mark.parametrize("side", [96, 128, 256])
def test_it_is_one_minus_the_blur_effect_of_the_face(side: int):
    picture = cv2.resize(data.astronaut()[:256, 90:346, :3], (side, side))
    face = picture[
        round(_TOP * side) : round(_BOTTOM * side), round(_LEFT * side) : round(_RIGHT * side)
    ]
    grey = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(float)
    assert sharpness(picture) == pytest.approx(1 - blur_effect(grey), abs=1e-5)


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
        assert sharpness(_moved(picture, 7)) < sharpness(picture) - 0.05, name


def test_contrast_exposure_and_storage_hardly_change_it(crops: dict[str, np.ndarray]):
    for name, picture in crops.items():
        stored = cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 95])[1], 1)
        for other in (picture * 0.6 + 40, picture * 0.5, stored):
            assert sharpness(other.astype(np.uint8)) == pytest.approx(
                sharpness(picture), abs=0.035
            ), name


def test_a_flat_face_has_none():
    assert np.isnan(sharpness(np.full((128, 128, 3), 90, np.uint8)))
