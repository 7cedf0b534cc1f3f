"""Plane geometry of pictures: similarity transforms, and warping that does not alias."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.media.image import resize


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """Least-squares similarity transform (rotation, one scale, shift) from points to points.

    The closed form of Umeyama (1991) in the plane, written with complex numbers: target = a source
    + b, with a and b complex. (N, 2) source and target, N >= 2, the source not all the same, to the
    (2, 3) matrix M with target ≈ M [x, y, 1].
    """
    z = source[:, 0] + 1j * source[:, 1].astype(np.float64)
    w = target[:, 0] + 1j * target[:, 1].astype(np.float64)
    z_mean, w_mean = z.mean(), w.mean()
    a = np.vdot(z - z_mean, w - w_mean) / np.vdot(z - z_mean, z - z_mean).real
    b = w_mean - a * z_mean
    return np.array([[a.real, -a.imag, b.real], [a.imag, a.real, b.imag]])


def transform(points: NDArray[np.floating], matrix: NDArray[np.floating]) -> NDArray[np.float32]:
    """Applies a (2, 3) matrix to (..., 2) points."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def invert(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """The inverse of a (2, 3) affine matrix."""
    return cast("NDArray[np.float64]", cv2.invertAffineTransform(matrix.astype(np.float64)))


def overlap(boxes: NDArray[np.floating], box: NDArray[np.floating]) -> NDArray[np.floating]:
    """Intersection over union of (N, 4) boxes x0 y0 x1 y1 with one (4,): (N,) in 0..1."""
    low, high = np.maximum(boxes[:, :2], box[:2]), np.minimum(boxes[:, 2:], box[2:])
    shared = np.clip(high - low, 0, None).prod(1)
    union = area(boxes) + area(box) - shared
    return cast("NDArray[np.floating]", shared / np.maximum(union, 1e-9))


def area(boxes: NDArray[np.floating]) -> NDArray[np.floating]:
    """Area of (..., 4) boxes x0 y0 x1 y1: (...)."""
    return cast("NDArray[np.floating]", (boxes[..., 2:] - boxes[..., :2]).prod(-1))


def warp(
    image: NDArray[np.uint8] | Part, matrix: NDArray[np.floating], size: int
) -> NDArray[np.uint8]:
    """Warps a picture to (size, size, 3) uint8 with bilinear sampling, as networks expect it.

    Bilinear sampling reads four pixels; at less than half size it would skip the others, so that
    the source is first shrunk by a whole factor. The (2, 3) matrix is from pixels of the whole
    image to pixels of the result, which is black outside the image.
    """
    if isinstance(image, Part):
        matrix, image = image.matrix_from_part(matrix), image.pixels
    if _factor(matrix) >= 2 and (part := part_of(image, matrix, size)) is not None:
        matrix, image = part.matrix_from_part(matrix), part.pixels
    warped = cv2.warpAffine(image, matrix.astype(np.float64), (size, size), flags=cv2.INTER_LINEAR)
    return cast("NDArray[np.uint8]", warped)


def resample(
    image: NDArray[np.uint8] | Part, matrix: NDArray[np.floating], size: int
) -> NDArray[np.uint8]:
    """Warps a picture to size x size as `warp` does, but without shimmer where it shrinks.

    Below half size the result is made twice as fine and then averaged, so that the averaged areas
    move with the face and not with the source's pixels. That keeps the crop sharp and steady.
    """
    if _factor(matrix) < 2:
        return warp(image, matrix, size)
    fine = warp(image, _twice(matrix), 2 * size)
    return resize(fine, (size, size))


def _twice(matrix: NDArray[np.floating]) -> NDArray[np.float64]:
    """The matrix to a result of twice the size."""
    # The centre of pixel i lies between those of 2 i and 2 i + 1.
    return np.column_stack([2 * matrix[:, :2], 2 * matrix[:, 2] + 0.5])


def view_of(
    image: NDArray[np.uint8], matrix: NDArray[np.floating], size: int, spare: float
) -> Part | None:
    """The part of a picture that `resample` by `matrix`, or nearly so, will need.

    `spare` is added on each side, as a share of the size. The part is copied out of the picture if
    it is less than half of it; None if the warp shows nothing of the picture.
    """
    part = part_of(image, _twice(matrix), 2 * size, spare)
    if part is None or part.factor > 1:
        return part
    if 2 * part.pixels.size >= image.size:  # copying costs more than it saves
        return Part(image, np.zeros(2, np.int64), part.whole, part.whole, 1)
    return replace(part, pixels=part.pixels.copy())


@dataclass(frozen=True)
class Part:
    """A part of a picture, averaged over `factor` x `factor` pixels."""

    pixels: NDArray[np.uint8]  # (h, w, 3) uint8
    low: NDArray[np.int64]  # (2,) x and y of its upper left pixel in the picture
    high: NDArray[np.int64]  # (2,) x and y where it ends in the picture
    whole: NDArray[np.int64]  # (2,) width and height of the picture
    factor: int  # pixels of the picture that make one, to either side

    def matrix_from_part(self, matrix: NDArray[np.floating]) -> NDArray[np.float64]:
        """The (2, 3) matrix that acts on the part's pixels as `matrix` on the picture's."""
        # Pixel i of the part has its centre at factor * i + (factor - 1) / 2 + low.
        shift = self.low + (self.factor - 1) / 2
        linear = matrix[:, :2]
        return np.column_stack([linear * self.factor, linear @ shift + matrix[:, 2]])

    def suffices(self, matrix: NDArray[np.floating], size: int) -> bool:
        """Whether warping the part gives the same as warping the whole picture."""
        low, high = _reach(matrix, size, 0.0, max(self.factor, _factor(matrix)))
        left = (self.low <= low) | (self.low == 0)
        right = (self.high >= high) | (self.high == self.whole)
        return bool(left.all() and right.all())


def part_of(
    image: NDArray[np.uint8], matrix: NDArray[np.floating], size: int, spare: float = 0.0
) -> Part | None:
    """The part of a picture that `warp` shows, no finer than necessary; None if it shows nothing.

    `spare` is added on each side, as a share of the size. Pixels that need not be averaged are a
    view of the picture.
    """
    factor = max(1, _factor(matrix))
    whole = np.array(image.shape[1::-1])
    low, high = (np.clip(end, 0, whole) for end in _reach(matrix, size, spare, factor))
    count = -((low - high) // factor)
    if (count < 1).any():
        return None
    pixels = image[low[1] : high[1], low[0] : high[0]]
    missing = count * factor - (high - low)
    if missing.any():
        pixels = cv2.copyMakeBorder(
            pixels, 0, int(missing[1]), 0, int(missing[0]), cv2.BORDER_REPLICATE
        )
    if factor == 1:
        return Part(pixels, low, high, whole, factor)
    return Part(resize(pixels, (int(count[0]), int(count[1]))), low, high, whole, factor)


def _factor(matrix: NDArray[np.floating]) -> int:
    """By which whole factor a matrix shrinks; 0 where it enlarges."""
    (a, b, _), (c, d, _) = matrix.tolist()
    scale = math.sqrt(abs(a * d - b * c))
    return int(1 / scale) if scale > 0 else 1


def _reach(
    matrix: NDArray[np.floating], size: int, spare: float, factor: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The corners (x, y) of the box around what a warp shows, two averaged pixels larger."""
    near, far = -spare * size, (1 + spare) * size
    corners = np.array([[near, near], [far, near], [near, far], [far, far]])
    shown = transform(corners, invert(matrix))
    low, high = np.floor(shown.min(0)) - 2 * factor, np.ceil(shown.max(0)) + 2 * factor
    return low.astype(np.int64), high.astype(np.int64)
