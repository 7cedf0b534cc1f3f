"""Warping parts of a picture: maps drawn on coarse nodes, thin-plate splines, smooth curves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np
from scipy.interpolate import PchipInterpolator

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
        """(rows, columns, 2) positions x, y of every `step`-th pixel, one more than fits."""
        x = np.arange(self.x0, self.x1 + (step if step > 1 else 0), step, dtype=np.float32)
        y = np.arange(self.y0, self.y1 + (step if step > 1 else 0), step, dtype=np.float32)
        return np.stack(np.meshgrid(x, y), axis=-1)


def node_step(span: float) -> int:
    """Pixels between nodes that are dense enough for lips, where the eye span has `span` pixels."""
    return max(2, round(span / 15))


def fine(coarse: NDArray[np.float32], width: int, height: int, step: int) -> NDArray[np.float32]:
    """A map given at every `step`-th pixel, for every pixel."""
    matrix = np.array([[step, 0, 0], [0, step, 0]], np.float64)
    return cast("NDArray[np.float32]", cv2.warpAffine(coarse, matrix, (width, height)))


def sampled(picture: NDArray[np.uint8], source: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The picture read off at (rows, columns, 2) positions."""
    return cast(
        "NDArray[np.uint8]",
        cv2.remap(
            picture,
            source[..., 0],
            source[..., 1],
            cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REPLICATE,
        ),
    )


def curve(points: NDArray[np.float64], x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Heights at `x` of a smooth curve through points ordered from left to right."""
    inside = np.clip(x, points[0, 0], points[-1, 0])
    return cast("NDArray[np.float64]", PchipInterpolator(points[:, 0], points[:, 1])(inside))


def thin_plate(
    centres: NDArray[np.float64], values: NDArray[np.float64], at: NDArray[np.floating]
) -> NDArray[np.float64]:
    """The smoothest surface through `values` at `centres` (Bookstein 1989), read off `at` points.

    Args:
        centres: (N, 2), all different.
        values: (N, D).
        at: (M, 2).

    Returns:
        (M, D).
    """
    count = len(centres)
    system = np.zeros((count + 3, count + 3))
    system[:count, :count] = _kernel(centres, centres)
    system[:count, count] = 1
    system[:count, count + 1 :] = centres
    system[count:, :count] = system[:count, count:].T
    right = np.zeros((count + 3, values.shape[1]))
    right[:count] = values
    weights = np.linalg.solve(system, right)
    smooth = _kernel(at.astype(np.float32), centres.astype(np.float32)) @ weights[:count]
    return cast("NDArray[np.float64]", smooth + weights[count] + at @ weights[count + 1 :])


def _kernel(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
    """r² log r² between all points of two lists."""
    squared = np.subtract.outer(a[:, 0], b[:, 0]) ** 2
    squared += np.subtract.outer(a[:, 1], b[:, 1]) ** 2
    return cast("NDArray[np.floating]", squared * np.log(np.maximum(squared, 1e-12)))
