"""Alignment against closed forms, and against where the authors' own clip has its landmarks."""

from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from skimage.transform import SimilarityTransform, estimate_transform

from pipeline.faces.alignment import (
    STABLE_POINTS,
    TEMPLATE,
    Smoothing,
    crop,
    crop_landmarks,
    smooth,
    transforms,
)
from pipeline.faces.geometry import transform
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import read_frames

SMOOTHINGS = get_args(Smoothing)


def _walk(length: int, points: int = 5) -> np.ndarray:
    """Points on a random walk."""
    steps = np.random.default_rng(length).normal(0, 2, (length, points, 2))
    return (200 + steps.cumsum(0)).astype(np.float32)


@pytest.mark.parametrize("length", [7, 8, 30])
def test_the_authors_smoothing_looks_six_frames_ahead(length: int):
    points = _walk(length)
    wanted = np.stack(
        [points[begin : begin + 7].mean(0) for begin in [min(t, length - 7) for t in range(length)]]
    )
    np.testing.assert_allclose(smooth(points, "authors"), wanted, atol=1e-3)


@pytest.mark.parametrize("length", [1, 3, 6])
def test_a_clip_shorter_than_the_window_has_one_mean(length: int):
    points = _walk(length)
    wanted = np.broadcast_to(points.mean(0), points.shape)
    np.testing.assert_allclose(smooth(points, "authors"), wanted, atol=1e-3)


def test_clip_smoothing_is_one_mean_and_none_is_nothing():
    points = _walk(40)
    wanted = np.broadcast_to(points.mean(0), points.shape)
    np.testing.assert_allclose(smooth(points, "clip"), wanted, atol=1e-3)
    assert np.array_equal(smooth(points, "none"), points)


def test_gaussian_smoothing_has_no_delay_and_a_sigma_of_two_frames():
    impulse = np.zeros((41, 1, 2), np.float32)
    impulse[20] = 1
    response = smooth(impulse, "gaussian")[:, 0, 0].astype(float)
    frames = np.arange(41) - 20
    gauss = np.exp(-(frames**2) / 8) / np.exp(-(frames**2) / 8).sum()
    np.testing.assert_allclose(response, gauss, atol=2e-4)
    # A line stays a line away from the ends: nothing comes early or late.
    line = np.arange(60, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    np.testing.assert_allclose(smooth(line, "gaussian")[10:-10], line[10:-10], atol=1e-3)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
@pytest.mark.parametrize("length", [1, 5, 50])
def test_smoothing_keeps_shape_and_leaves_still_points_alone(smoothing: Smoothing, length: int):
    still = np.repeat(_walk(1), length, 0)
    got = smooth(still, smoothing)
    assert got.shape == still.shape
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, still, atol=1e-3)


def test_transforms_are_the_least_squares_of_the_stable_points():
    rng = np.random.default_rng(0)
    landmarks = rng.uniform(100, 300, (4, 68, 2)).astype(np.float32)
    landmarks[:, STABLE_POINTS] = 150 + 120 * TEMPLATE + rng.normal(0, 3, (4, 5, 2))
    got = transforms(landmarks, 128, "none")
    for points, matrix in zip(landmarks, got, strict=True):
        reference = estimate_transform("similarity", points[list(STABLE_POINTS)], 128 * TEMPLATE)
        np.testing.assert_allclose(matrix, reference.params[:2], rtol=1e-4, atol=1e-3)
    # Only the stable points count: a mouth that moves does not move the crop.
    landmarks[:, 48:] += 40
    assert np.array_equal(transforms(landmarks, 128, "none"), got)


@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_a_face_that_fits_the_template_lands_on_it_at_any_size(smoothing: Smoothing):
    place = SimilarityTransform(scale=3.1, rotation=0.4, translation=(500, 200)).params[:2]
    landmarks = np.zeros((9, 68, 2), np.float32)
    landmarks[:, STABLE_POINTS] = transform(TEMPLATE * 100, place)
    for size in (64, 128, 256):
        matrices = transforms(landmarks, size, smoothing)
        landed = crop_landmarks(landmarks, matrices)[:, STABLE_POINTS]
        np.testing.assert_allclose(landed, np.tile(TEMPLATE * size, (9, 1, 1)), atol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("smoothing", SMOOTHINGS)
def test_the_authors_own_clip_lands_on_its_template(
    tracker: MediaPipeTracker, shared_data: Path, smoothing: Smoothing
):
    frames = list(read_frames(shared_data / "clips" / "crema_1001_DFA_ANG_XX.mkv"))
    track = tracker.track(frames)
    matrices = transforms(track.points, 128, smoothing)
    computed = crop_landmarks(track.points, matrices)[:, STABLE_POINTS].mean(0) / 128
    np.testing.assert_allclose(computed, TEMPLATE, atol=0.02)
    # What counts is where a face is seen in the crops themselves.
    crops = list(crop(frames, matrices, 128))
    seen = tracker.track(crops)
    assert seen.found.all()
    np.testing.assert_allclose(seen.points[:, STABLE_POINTS].mean(0) / 128, TEMPLATE, atol=0.02)
    # The clip is prepared already, so that its crop is itself, smaller.
    scales = np.sqrt(np.linalg.det(matrices[:, :, :2]))
    assert np.abs(scales.mean() * 320 / 128 - 1) < 0.05


def test_crops_show_what_the_landmarks_say():
    # A white dot in a black frame at a landmark must be found where crop_landmarks puts it.
    frames, landmarks = [], np.zeros((3, 68, 2), np.float32)
    y, x = np.mgrid[:400, :500]
    for index in range(3):
        at = np.array([230.0 + 11 * index, 180 - 7 * index])
        landmarks[index] = at
        landmarks[index, STABLE_POINTS] = at + 300 * (TEMPLATE - TEMPLATE.mean(0))
        dot = 255 * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * 6**2))
        frames.append(np.repeat(dot[..., None], 3, 2).astype(np.uint8))
    matrices = transforms(landmarks, 96, "none")
    wanted = crop_landmarks(landmarks, matrices)[:, 30]
    v, u = np.mgrid[:96, :96]
    for image, place in zip(crop(frames, matrices, 96), wanted, strict=True):
        weight = image[..., 1].astype(float)
        centre = [(u * weight).sum() / weight.sum(), (v * weight).sum() / weight.sum()]
        np.testing.assert_allclose(centre, place, atol=0.1)


def test_frames_and_transforms_must_be_as_many():
    frames = [np.zeros((8, 8, 3), np.uint8)] * 2
    with pytest.raises(ValueError):
        list(crop(frames, np.zeros((3, 2, 3)) + np.eye(2, 3), 8))
