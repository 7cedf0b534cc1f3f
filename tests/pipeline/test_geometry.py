"""Transforms against scikit-image and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.transform import SimilarityTransform, estimate_transform
from skimage.transform import warp as skimage_warp

from pipeline.geometry import invert, similarity, transform, warp


def _matrix(scale: float, degrees: float, shift: tuple[float, float]) -> np.ndarray:
    made = SimilarityTransform(scale=scale, rotation=np.radians(degrees), translation=shift)
    return made.params[:2]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_similarity_agrees_with_scikit_image_on_noisy_points(seed: int, dtype: type):
    rng = np.random.default_rng(seed)
    source = rng.uniform(0, 500, (5, 2)).astype(dtype)
    exact = transform(source, _matrix(rng.uniform(0.2, 3), rng.uniform(-170, 170), (40, -7)))
    target = (exact + rng.normal(0, 10, (5, 2))).astype(dtype)
    reference = estimate_transform("similarity", source, target).params[:2]
    np.testing.assert_allclose(similarity(source, target), reference, rtol=1e-5, atol=1e-4)


def test_similarity_never_mirrors():
    # Umeyama's estimate is a rotation even where a reflection would fit better.
    source = np.array([[0, 0], [2, 0], [2, 1], [0, 1], [0.3, 0.8]])
    found = similarity(source, source * [-1, 1])
    assert np.linalg.det(found[:, :2]) >= 0


def test_transform_and_invert_undo_each_other():
    matrix = _matrix(1.7, 33, (12, -5))
    points = np.random.default_rng(0).uniform(-100, 100, (4, 7, 2))
    np.testing.assert_allclose(
        transform(transform(points, matrix), invert(matrix)), points, atol=1e-4
    )
    # x is the first coordinate, y the second, and degrees turn x towards y.
    quarter = _matrix(1, 90, (0, 0))
    np.testing.assert_allclose(transform(np.array([1.0, 0]), quarter), [0, 1], atol=1e-6)


def _smooth_picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    waves = [np.sin(x / 9 + c) * np.cos(y / 11 - c) for c in range(3)]
    return np.rint(127 + 90 * np.stack(waves, -1)).astype(np.uint8)


@pytest.mark.parametrize("degrees", [0, 17, -140])
@pytest.mark.parametrize("scale", [0.6, 1.0, 2.5])
def test_warp_agrees_with_scikit_image(degrees: float, scale: float):
    image = _smooth_picture(90, 120)
    matrix = _matrix(scale, degrees, (30, 20))
    square = np.vstack([matrix, [0, 0, 1]])
    reference = 255 * skimage_warp(
        image, np.linalg.inv(square), output_shape=(64, 64), order=1, mode="constant"
    )
    got = warp(image, matrix, 64)
    # The rim, where black is blended in, differs by convention.
    inside = skimage_warp(np.ones((90, 120)), np.linalg.inv(square), output_shape=(64, 64), order=1)
    inside = inside > 0.999
    assert inside.sum() > 200
    assert np.abs(got[inside] - reference[inside]).max() < 4.5
    assert np.abs(got[inside] - reference[inside]).mean() < 0.7


@pytest.mark.parametrize("factor", [1.0, 1.9, 2.0, 3.7, 8.0])
@pytest.mark.parametrize("degrees", [0, 25, -90])
def test_warp_keeps_things_in_their_place_at_any_shrinking(factor: float, degrees: float):
    # Shrinking first shifts by half a pixel if centres are taken for corners: a soft spot's centre
    # of mass tells where it went to a few hundredths of a pixel.
    at = np.array([643.3, 388.8])
    y, x = np.mgrid[:900, :1200]
    spot = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * (4 * factor) ** 2))
    image = np.repeat(np.rint(255 * spot)[..., None], 3, 2).astype(np.uint8)
    matrix = _matrix(1 / factor, degrees, (0, 0))
    matrix[:, 2] += [51.3, 47.6] - transform(at, matrix)
    got = warp(image, matrix, 100)[..., 0].astype(float)
    v, u = np.mgrid[:100, :100]
    centre = np.array([(u * got).sum(), (v * got).sum()]) / got.sum()
    np.testing.assert_allclose(centre, [51.3, 47.6], atol=0.05)


def test_warp_averages_where_it_shrinks():
    # A chequerboard of single pixels is grey from afar; bilinear sampling alone would alias it.
    board = np.indices((512, 512)).sum(0) % 2 * 255
    image = np.repeat(board[..., None], 3, 2).astype(np.uint8)
    small = warp(image, _matrix(1 / 8, 0, (-1 / 16, 0)), 60)
    inside = small[2:-2, 2:-2]
    assert inside.std() < 2
    assert abs(inside.mean() - 127.5) < 2


def test_warp_is_black_outside_or_repeats_the_edge():
    image = np.full((40, 60, 3), 200, np.uint8)
    for scale in (1.0, 0.25):
        matrix = _matrix(scale, 0, (30, 30))
        black = warp(image, matrix, 64)
        assert (black[:28] == 0).all()
        assert (black[:, :28] == 0).all()
        assert (black[33:36, 33:40] == 200).all()
        assert (warp(image, matrix, 64, border=None) == 200).all()


def test_warp_of_a_picture_out_of_view_is_black():
    image = np.full((40, 60, 3), 200, np.uint8)
    for scale in (1.0, 0.1):
        assert not warp(image, _matrix(scale, 0, (500, 500)), 64).any()
