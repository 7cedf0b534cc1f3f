"""Plane geometry of pictures: similarity transforms, and warping that does not alias."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """Least-squares similarity transform (rotation, one scale, shift) from points to points.

    The closed form of Umeyama (1991) in the plane, written with complex numbers: target = a source
    + b, with a and b complex.

    Args:
        source: (N, 2) points, N >= 2, not all the same.
        target: (N, 2) points.

    Returns:
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


def warp(
    image: NDArray[np.uint8], matrix: NDArray[np.floating], size: int, *, border: int | None = 0
) -> NDArray[np.uint8]:
    """Warps a picture to size x size with bilinear sampling, averaging first where it shrinks.

    Bilinear sampling reads four pixels; at less than half size it would skip the others and the
    result would shimmer from frame to frame, so that the source is first shrunk by a whole factor.

    Args:
        image: (H, W, 3) uint8.
        matrix: (2, 3), pixels of the image to pixels of the result.
        size: side of the result.
        border: value outside the image; None repeats its edge.

    Returns:
        (size, size, 3) uint8.
    """
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    factor = int(1 / scale) if scale > 0 else 1
    if factor >= 2:
        image, matrix = _shrunk(image, matrix, size, factor)
    mode = cv2.BORDER_CONSTANT if border is not None else cv2.BORDER_REPLICATE
    warped = cv2.warpAffine(
        image,
        matrix.astype(np.float64),
        (size, size),
        flags=cv2.INTER_LINEAR,
        borderMode=mode,
        borderValue=(border or 0,) * 3,
    )
    return cast("NDArray[np.uint8]", warped)


def _shrunk(
    image: NDArray[np.uint8], matrix: NDArray[np.floating], size: int, factor: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The part of the image that the result shows, averaged over factor x factor pixels."""
    corners = np.array([[0, 0], [size, 0], [0, size], [size, size]], np.float64)
    seen = transform(corners, invert(matrix))
    height, width = image.shape[:2]
    low = np.clip(np.floor(seen.min(0)) - 2 * factor, 0, [width, height]).astype(int)
    high = np.clip(np.ceil(seen.max(0)) + 2 * factor, 0, [width, height]).astype(int)
    count = np.ceil((high - low) / factor).astype(int)
    if (count < 1).any():
        return image, np.asarray(matrix, np.float64)  # nothing of the image is seen
    part = image[low[1] : high[1], low[0] : high[0]]
    missing = count * factor - (high - low)
    if missing.any():
        part = cv2.copyMakeBorder(
            part, 0, int(missing[1]), 0, int(missing[0]), cv2.BORDER_REPLICATE
        )
    small = cv2.resize(part, (int(count[0]), int(count[1])), interpolation=cv2.INTER_AREA)
    # Pixel i of the small picture has its centre at factor * i + (factor - 1) / 2 + low.
    shift = low + (factor - 1) / 2
    linear = matrix[:, :2]
    combined = np.column_stack([linear * factor, linear @ shift + matrix[:, 2]])
    return cast("NDArray[np.uint8]", small), combined
