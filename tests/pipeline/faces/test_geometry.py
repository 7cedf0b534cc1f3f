"""Transforms against scikit-image and closed forms."""

from collections.abc import Callable

import numpy as np
import pytest
from skimage import data
from skimage.transform import SimilarityTransform, estimate_transform
from skimage.transform import warp as skimage_warp

from pipeline.faces.geometry import (
    area,
    invert,
    overlap,
    resample,
    similarity,
    transform,
    view_of,
    warp,
)


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
@pytest.mark.parametrize("way", [warp, resample])
def test_things_keep_their_place_at_any_shrinking(
    way: Callable[..., np.ndarray], factor: float, degrees: float
):
    # Shrinking first shifts by half a pixel if centres are taken for corners: a soft spot's centre
    # of mass tells where it went to a few hundredths of a pixel.
    at = np.array([643.3, 388.8])
    y, x = np.mgrid[:900, :1200]
    spot = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * (4 * factor) ** 2))
    image = np.repeat(np.rint(255 * spot)[..., None], 3, 2).astype(np.uint8)
    matrix = _matrix(1 / factor, degrees, (0, 0))
    matrix[:, 2] += [51.3, 47.6] - transform(at, matrix)
    got = way(image, matrix, 100)[..., 0].astype(float)
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


def _psnr(a: np.ndarray, b: np.ndarray) -> float:
    return 10 * np.log10(255**2 / max(np.square(a.astype(float) - b).mean(), 1e-9))


@pytest.mark.parametrize("factor", [2.0, 2.6, 3.5])
@pytest.mark.parametrize("degrees", [0, 17])
def test_resampling_agrees_with_the_mean_over_each_pixels_area(factor: float, degrees: float):
    # Shrinking the source first and then sampling it comes to 34 to 41 dB.
    size, fine = 64, 8
    matrix = _matrix(1 / factor, degrees, (0, 0))
    matrix[:, 2] += size / 2 - transform(np.array([230.3, 250.8]), matrix)
    finer = np.vstack([fine * matrix, [0, 0, 1]])
    finer[:2, 2] += (fine - 1) / 2
    picture = data.astronaut()
    samples = skimage_warp(
        picture, np.linalg.inv(finer), output_shape=(size * fine, size * fine), order=1
    )
    reference = 255 * samples.reshape(size, fine, size, fine, 3).mean((1, 3))
    assert _psnr(resample(picture, matrix, size), reference) > 42


@pytest.mark.parametrize("factor", [2.6, 3.5])
def test_resampling_does_not_shimmer_when_the_source_moves_by_a_pixel(factor: float):
    picture = data.astronaut()
    matrix = _matrix(1 / factor, 17, (0, 0))
    matrix[:, 2] += 32 - transform(np.array([230.3, 250.8]), matrix)
    still = resample(picture, matrix, 64)
    for step in ([1, 0], [0, 1], [2, 1]):
        moved = matrix.copy()
        moved[:, 2] += matrix[:, :2] @ step
        shifted = np.ascontiguousarray(picture[step[1] :, step[0] :])
        assert _psnr(resample(shifted, moved, 64), still) > 50


@pytest.mark.parametrize("factor", [0.8, 1.7, 2.6, 5.0])
@pytest.mark.parametrize("at", [(220.3, 130.8), (30.0, 470.0)])
def test_a_view_gives_what_the_whole_picture_gives(factor: float, at: tuple[float, float]):
    picture = data.astronaut()
    matrix = _matrix(1 / factor, 12, (0, 0))
    matrix[:, 2] += 32 - transform(np.array(at), matrix)
    view = view_of(picture, matrix, 64, spare=0.2)
    near = matrix + np.array([[0, 0, 6.3], [0, 0, -4.9]])
    assert view.suffices(near, 64)
    # From a fifth on the picture is averaged first, on another grid of its pixels.
    least = 100 if factor < 4 else 40
    assert _psnr(resample(view, near, 64), resample(picture, near, 64)) > least


def test_a_view_knows_what_it_does_not_show():
    picture = np.zeros((900, 900, 3), np.uint8)
    view = view_of(picture, _matrix(1.0, 0, (-400, -400)), 64, spare=0.25)
    assert view.pixels.base is None  # a copy: the picture can go
    assert view.pixels.nbytes < picture.nbytes / 50
    for shift, enough in ((-400, True), (-414, True), (-386, True), (-424, False), (-376, False)):
        assert view.suffices(_matrix(1.0, 0, (shift, -400)), 64) == enough
        assert view.suffices(_matrix(1.0, 0, (-400, shift)), 64) == enough
    assert not view.suffices(_matrix(0.4, 0, (-160, -160)), 64)
    # What lies outside the picture is black in both.
    corner = view_of(picture, _matrix(1.0, 0, (10, 10)), 64, spare=0.25)
    assert corner.suffices(_matrix(1.0, 0, (40, 40)), 64)
    assert view_of(picture, _matrix(1.0, 0, (500, 500)), 64, spare=0.25) is None


def test_warp_is_black_outside():
    image = np.full((40, 60, 3), 200, np.uint8)
    for scale in (1.0, 0.25):
        matrix = _matrix(scale, 0, (30, 30))
        black = warp(image, matrix, 64)
        assert (black[:28] == 0).all()
        assert (black[:, :28] == 0).all()
        assert (black[33:36, 33:40] == 200).all()


def test_warp_of_a_picture_out_of_view_is_black():
    image = np.full((40, 60, 3), 200, np.uint8)
    for scale in (1.0, 0.1):
        assert not warp(image, _matrix(scale, 0, (500, 500)), 64).any()


def test_overlap_is_intersection_over_union():
    boxes = np.array([[0, 0, 4, 4], [2, 0, 6, 4], [4, 4, 8, 8]], np.float32)
    assert area(boxes).tolist() == [16, 16, 16]
    np.testing.assert_allclose(overlap(boxes, boxes[0]), [1, 8 / 24, 0], rtol=1e-6)
