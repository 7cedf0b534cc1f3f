"""Neck, clothes and backdrop, painted around a head."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from pipeline.talkers.cutout import CHIN, LEFT_EYE, RIGHT_EYE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.talkers.people import Person


def paint_clothes(
    person: Person, head: NDArray[np.float32], mesh: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Neck and clothes painted below the head: (C, C, 4) uint8."""
    size = head.shape[0]
    span = float(np.linalg.norm(mesh[LEFT_EYE] - mesh[RIGHT_EYE]))
    axis, chin = float(mesh[CHIN, 0]), float(mesh[CHIN, 1])
    y, x = np.mgrid[:size, :size].astype(np.float32)
    # The photograph ends below the chin: the neck continues downwards in its own colours.
    middle, half = _neck(head, axis, round(chin - 0.12 * span), span)
    side = (x - middle) / span
    below = (y - chin) / span
    skin = _neck_colours(head, axis, round(chin + 0.05 * span), span)
    flared = half - 0.03 + 0.8 * np.clip(below - 0.35, 0, 1) ** 1.5
    neck = _edge((flared - np.abs(side)) * span) * _edge((below + 0.25) * span)
    shade = 0.96 + 0.14 * np.clip(below / 0.5, 0, 1)
    shade -= 0.25 * np.clip(np.abs(side) / half, 0, 1) ** 4
    canvas = np.dstack([skin * shade[..., None], neck * 255])
    # Clothes over the neck, the head over both.
    canvas = _over(_clothes(person, side, below, span, rng), canvas)
    return cast("NDArray[np.uint8]", _over(head, canvas).round().astype(np.uint8))


def _neck_colours(
    head: NDArray[np.float32], axis: float, row: int, span: float
) -> NDArray[np.float32]:
    """A few rows of skin below the chin, smoothed and repeated downwards."""
    low, high = round(axis - 0.4 * span), round(axis + 0.4 * span)
    band = head[row - round(0.05 * span) : row + 1, low:high, :3].mean(0)
    padded = cv2.copyMakeBorder(band[None], 0, 0, low, head.shape[1] - high, cv2.BORDER_REPLICATE)
    smooth = cv2.GaussianBlur(padded, (0, 0), span / 8)
    return cast("NDArray[np.float32]", np.repeat(smooth, head.shape[0], axis=0))


def _neck(head: NDArray[np.float32], axis: float, row: int, span: float) -> tuple[float, float]:
    """The neck's middle in pixels and half its width in eye spans, read off one row."""
    inside = np.flatnonzero(head[row, :, 3] > 128)
    inside = inside[np.abs(inside - axis) < 0.8 * span]
    return float(inside[0] + inside[-1]) / 2, float(inside[-1] - inside[0]) / (2 * span)


def _edge(distance: NDArray[np.floating]) -> NDArray[np.float32]:
    """Opacity from the distance inside an outline, in pixels."""
    return np.clip(distance + 0.5, 0, 1).astype(np.float32)


def _clothes(
    person: Person,
    side: NDArray[np.float32],
    below: NDArray[np.float32],
    span: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """A knitted top with a hem at the neckline: (C, C, 4), colour and opacity."""
    size = side.shape[0]
    away = np.abs(side)
    shoulders = 0.30 + 0.30 * np.clip(away - 0.6, 0, None) ** 0.9
    pit = 0.42 + person.neckline
    opening = pit - (pit - 0.30) * np.clip(away / 0.66, 0, 1.5) ** 2.4
    inside = np.minimum(below - shoulders, below - opening) * span
    folds = 0.05 * _noise(size, size / 30, rng) + 0.025 * _noise(size, size / 250, rng)
    shade = 1.0 - 0.16 * np.clip(away / 1.6, 0, 1) ** 2 + folds
    shade -= 0.25 * np.exp(-((inside / (0.05 * span)) ** 2))  # rounded at its edges
    hem = np.abs((below - opening) * span - 0.11 * span)
    shade -= 0.18 * np.exp(-((hem / (0.012 * span)) ** 2)) * (away < 0.72)
    colour = np.array(person.clothes, np.float32) * shade[..., None]
    return np.dstack([np.clip(colour, 0, 255), _edge(inside) * 255]).astype(np.float32)


def _over(top: NDArray[np.float32], bottom: NDArray[np.float32]) -> NDArray[np.float32]:
    """One layer over another, straight opacity in 0..255."""
    a, b = top[..., 3:] / 255, bottom[..., 3:] / 255
    alpha = a + b * (1 - a)
    colour = (top[..., :3] * a + bottom[..., :3] * b * (1 - a)) / np.maximum(alpha, 1e-4)
    # Where nothing is, the nearest layer's colour avoids a dark fringe when it is resampled.
    colour = np.where(alpha > 1e-3, colour, top[..., :3])
    return np.dstack([colour, alpha * 255])


def _noise(size: int, grain: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Smooth noise of unit variance."""
    noise = cv2.GaussianBlur(rng.standard_normal((size, size)).astype(np.float32), (0, 0), grain)
    return cast("NDArray[np.float32]", noise / noise.std())


def paint_backdrop(person: Person, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A painted studio wall: a gradient with soft clouds, brighter behind the head."""
    top, bottom = (np.array(colour, np.float32) for colour in person.backdrop)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    wall = top + (bottom - top) * y[..., None]
    glow = np.exp(-(((x - 0.55) / 0.4) ** 2 + ((y - 0.4) / 0.4) ** 2))
    wall = wall * (0.9 + 0.16 * glow + 0.035 * _noise(size, size / 14, rng))[..., None]
    return cast("NDArray[np.uint8]", np.clip(wall, 0, 255).astype(np.uint8))
