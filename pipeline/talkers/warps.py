"""Warping parts of a picture: maps on a coarse grid, smooth curves."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator


@dataclass(frozen=True)
class Region:
    """A rectangle of the canvas: columns x0..x1, rows y0..y1."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def part(self) -> tuple[slice, slice]:
        """Indexes the region in a picture."""
        return slice(self.y0, self.y1), slice(self.x0, self.x1)

    def grid(self, step: int = 1) -> NDArray[np.float32]:
        """(rows, columns, 2) positions x, y of every `step`-th pixel, the last beyond the edge."""
        beyond = step if step > 1 else 0
        x = np.arange(self.x0, self.x1 + beyond, step, dtype=np.float32)
        y = np.arange(self.y0, self.y1 + beyond, step, dtype=np.float32)
        return np.stack(np.meshgrid(x, y), axis=-1)


def grid_step(eye_span: float) -> int:
    """Pixels between grid points dense enough for lips, by the distance of the eyes in pixels."""
    return max(2, round(eye_span / 15))


def upsample_map(
    coarse: NDArray[np.float32], width: int, height: int, step: int
) -> NDArray[np.float32]:
    """A map given at every `step`-th pixel, for every pixel: (height, width, 2)."""
    matrix = np.array([[step, 0, 0], [0, step, 0]], np.float64)
    return cv2.warpAffine(coarse, matrix, (width, height))


def sample_picture(picture: NDArray[np.uint8], source: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The picture at (rows, columns, 2) positions x, y; its edge is repeated outside."""
    x, y = source[..., 0], source[..., 1]
    return cv2.remap(picture, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


def smoothstep(share: NDArray[np.floating]) -> NDArray[np.floating]:
    """0..1 to 0..1 with a slope of 0 at both ends."""
    return share * share * (3 - 2 * share)


def curve(points: NDArray[np.float64], x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Heights at `x` of a smooth curve through points ordered from left to right."""
    inside = np.clip(x, points[0, 0], points[-1, 0])
    return PchipInterpolator(points[:, 0], points[:, 1])(inside)
