"""A person made of the photographed head: recoloured, reshaped, dressed, before a backdrop."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.talkers.cutout import (
    CHIN,
    EYE_SPAN,
    INNER_LIPS,
    LEFT_EYE,
    LIDS,
    OUTER_LIPS,
    RIGHT_EYE,
    CutOut,
    closed,
    eye_span,
    point_ids,
    soft_mask,
)
from pipeline.talkers.people import Bump, Person
from pipeline.talkers.warps import Region, grid_step, upsample_map

_RIGHT_BROW = point_ids("70 63 105 66 107 55 65 52 53 46")
_LEFT_BROW = point_ids("300 293 334 296 336 285 295 282 283 276")
# Where a beard grows: moustache, chin, jaw; soft towards the cheeks.
_BEARD = point_ids(
    "58 172 136 150 149 176 148 152 377 400 378 379 365 397 288 434 432 426 327 2 98 206 212 214"
)


@dataclass(frozen=True)
class Portrait:
    """A person ready to be animated, in a square canvas."""

    figure: NDArray[np.uint8]  # (C, C, 4) straight RGB and opacity
    backdrop: NDArray[np.uint8]  # (C, C, 3)
    mesh: NDArray[np.float32]  # (478, 2) the face mesh in pixels of the canvas


def make_portrait(person: Person, cutout: CutOut, rng: np.random.Generator) -> Portrait:
    """Makes a person from the head: recoloured, reshaped, dressed, in front of a backdrop."""
    tinted = _tint(person, cutout, rng)
    head = np.dstack([tinted, cutout.head[..., None] * 255])  # (C, C, 4)
    source, mesh = _reshape(person.shape, cutout.mesh, len(head))
    head = np.clip(cv2.remap(head, source[..., 0], source[..., 1], cv2.INTER_CUBIC), 0, 255)
    figure = _paint_clothes(person, head, mesh, rng)
    return Portrait(figure, _paint_backdrop(person, len(head), rng), mesh)


def _tint(person: Person, cut: CutOut, rng: np.random.Generator) -> NDArray[np.float32]:
    """Skin, hair, brows, lips and beard in the person's colours."""
    size, mesh = cut.image.shape[0], cut.mesh
    edge = size * EYE_SPAN / 60
    # Where eyes, teeth, lips and brows are.
    right, left = (soft_mask(mesh[closed(*lids)], size, edge) for lids in LIDS)
    teeth = soft_mask(mesh[closed(*INNER_LIPS)], size, edge)
    lips = np.clip(soft_mask(mesh[closed(*OUTER_LIPS)], size, edge) - teeth, 0, 1)
    brows = soft_mask(mesh[_RIGHT_BROW], size, 2 * edge)
    brows = np.maximum(brows, soft_mask(mesh[_LEFT_BROW], size, 2 * edge)) * (1 - cut.hair)
    grey = cut.image @ np.array([0.299, 0.587, 0.114], np.float32)
    # Hair keeps its strands: brightness by the photograph, colour by the person.
    strands = np.clip(grey / 115, 0, 1.9)[..., None]
    hair = np.array(person.hair, np.float32) * strands**0.95
    # Skin, lips and brows are the photograph's times a gain.
    skin_mask = np.clip(1 - cut.hair - 0.7 * np.maximum(right, left) - teeth, 0, 1)[..., None]
    result = cut.image * (1 + skin_mask * (np.array(person.skin, np.float32) - 1))
    result = result * (1 + lips[..., None] * (np.array(person.lips) / person.skin - 1))
    dark = np.clip((175 - grey) / 60, 0.25, 1) * brows
    result = result * (1 + dark[..., None] * (person.brows - 1))
    # A shaven beard darkens the skin with a little grain.
    beard = soft_mask(mesh[_BEARD], size, size * EYE_SPAN / 10)
    beard *= (1 - lips) * (1 - teeth) * person.stubble
    grain = 1 + 0.12 * rng.standard_normal((size, size)).astype(np.float32)
    result = result * (1 - beard * grain * 0.42)[..., None] + beard[..., None] * np.array([4, 6, 8])
    mixed = result * (1 - cut.hair[..., None]) + hair * cut.hair[..., None]
    return np.clip(mixed, 0, 255).astype(np.float32)


def _reshape(
    bumps: tuple[Bump, ...], mesh: NDArray[np.float32], size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where each pixel of the reshaped canvas comes from, and the reshaped mesh."""
    span = eye_span(mesh)
    origin = (mesh[LEFT_EYE] + mesh[RIGHT_EYE]) / 2
    step = grid_step(span)
    source = (Region(0, 0, size, size).grid(step) - origin) / span
    points = (mesh - origin) / span
    for bump in bumps:
        points = points + _displacement(bump, points)
    for bump in reversed(bumps):
        displaced = source
        for _ in range(12):  # fixed point of p = q - d(p), since d changes less than p does
            source = displaced - _displacement(bump, source)
    pixels = upsample_map((source * span + origin).astype(np.float32), size, size, step)
    return pixels, (points * span + origin).astype(np.float32)


def _displacement(bump: Bump, points: NDArray[np.float32]) -> NDArray[np.float32]:
    """By how much a bump moves (..., 2) points, in eye spans."""
    total = np.zeros_like(points)
    for side in (1, -1) if bump.both else (1,):
        offset = points - np.array([side * bump.at[0], bump.at[1]], np.float32)
        window = np.exp(-0.5 * ((offset / np.array(bump.reach, np.float32)) ** 2).sum(-1))
        shift = np.array([side * bump.shift[0], bump.shift[1]], np.float32)
        total += window[..., None] * (offset * (np.array(bump.scale, np.float32) - 1) + shift)
    return total


def _paint_clothes(
    person: Person, head: NDArray[np.float32], mesh: NDArray[np.float32], rng: np.random.Generator
) -> NDArray[np.uint8]:
    """Neck and clothes painted below the head: (C, C, 4) uint8."""
    size = head.shape[0]
    span = eye_span(mesh)
    axis, chin = float(mesh[CHIN, 0]), float(mesh[CHIN, 1])
    y, x = np.mgrid[:size, :size].astype(np.float32)
    # The photograph ends below the chin: the neck continues downwards in its own colours.
    inside = np.flatnonzero(head[round(chin - 0.12 * span), :, 3] > 128)
    inside = inside[np.abs(inside - axis) < 0.8 * span]
    first, last = map(float, inside[[0, -1]])
    middle, half = (first + last) / 2, (last - first) / (2 * span)
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
    return _over(head, canvas).round().astype(np.uint8)


def _neck_colours(
    head: NDArray[np.float32], axis: float, row: int, span: float
) -> NDArray[np.float32]:
    """A few rows of skin below the chin, smoothed and repeated downwards."""
    low, high = round(axis - 0.4 * span), round(axis + 0.4 * span)
    band = head[row - round(0.05 * span) : row + 1, low:high, :3].mean(0)
    padded = cv2.copyMakeBorder(band[None], 0, 0, low, head.shape[1] - high, cv2.BORDER_REPLICATE)
    return np.repeat(cv2.GaussianBlur(padded, (0, 0), span / 8), head.shape[0], axis=0)


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
    return noise / noise.std()


def _paint_backdrop(person: Person, size: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """A painted studio wall: a gradient with soft clouds, brighter behind the head."""
    top, bottom = (np.array(colour, np.float32) for colour in person.backdrop)
    y, x = np.mgrid[:size, :size].astype(np.float32) / size
    wall = top + (bottom - top) * y[..., None]
    glow = np.exp(-(((x - 0.55) / 0.4) ** 2 + ((y - 0.4) / 0.4) ** 2))
    wall = wall * (0.9 + 0.16 * glow + 0.035 * _noise(size, size / 14, rng))[..., None]
    return np.clip(wall, 0, 255).astype(np.uint8)
