"""A person made of the photographed head: recoloured, reshaped, dressed, before a backdrop."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from pipeline.talkers.cutout import EYE_SPAN, LEFT_EYE, RIGHT_EYE, fill, point_ids
from pipeline.talkers.wardrobe import paint_backdrop, paint_clothes
from pipeline.talkers.warps import Region, grid_step, upsample_map

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.talkers.cutout import CutOut
    from pipeline.talkers.people import Bump, Person

_RIGHT_LIDS = point_ids("33 246 161 160 159 158 157 173 133 155 154 153 145 144 163 7")
_LEFT_LIDS = point_ids("263 466 388 387 386 385 384 398 362 382 381 380 374 373 390 249")
_OUTER_LIPS = point_ids("61 185 40 39 37 0 267 269 270 409 291 375 321 405 314 17 84 181 91 146")
_INNER_LIPS = point_ids("78 191 80 81 82 13 312 311 310 415 308 324 318 402 317 14 87 178 88 95")
_RIGHT_BROW = point_ids("70 63 105 66 107 55 65 52 53 46")
_LEFT_BROW = point_ids("300 293 334 296 336 285 295 282 283 276")
# Where a beard grows: moustache, chin, jaw; soft towards the cheeks.
_BEARD = point_ids(
    "58 172 136 150 149 176 148 152 377 400 378 379 365 397 288 434 432 426 327 2 98 206 212 214"
)


@dataclass(frozen=True)
class Portrait:
    """A person ready to be animated, in a square canvas.

    Attributes:
        figure: (C, C, 4) uint8, straight RGB and opacity.
        backdrop: (C, C, 3) uint8.
        mesh: (478, 2) float32, the face mesh in pixels of the canvas.
    """

    figure: NDArray[np.uint8]
    backdrop: NDArray[np.uint8]
    mesh: NDArray[np.float32]

    @property
    def eye_span(self) -> float:
        """Distance of the outer eye corners in pixels."""
        return float(np.linalg.norm(self.mesh[LEFT_EYE] - self.mesh[RIGHT_EYE]))


def make_portrait(person: Person, cutout: CutOut, rng: np.random.Generator) -> Portrait:
    """Makes a person from the head: recoloured, reshaped, dressed, in front of a backdrop."""
    tinted = _tint(person, cutout, rng)
    head = np.dstack([tinted, cutout.head[..., None] * 255])  # (C, C, 4)
    source, mesh = _reshape(person.shape, cutout.mesh, len(head))
    head = np.clip(cv2.remap(head, source[..., 0], source[..., 1], cv2.INTER_CUBIC), 0, 255)
    figure = paint_clothes(person, head, mesh, rng)
    return Portrait(figure, paint_backdrop(person, len(head), rng), mesh)


def _soft_mask(outline: NDArray[np.float32], size: int, blur: float) -> NDArray[np.float32]:
    """(size, size) mask in 0..1 of the inside of an outline, its edge blurred."""
    mask = np.zeros((size, size), np.uint8)
    fill(mask, outline, 255)
    return cast(
        "NDArray[np.float32]", cv2.GaussianBlur(mask, (0, 0), blur).astype(np.float32) / 255
    )


def _tint(person: Person, cut: CutOut, rng: np.random.Generator) -> NDArray[np.float32]:
    """Skin, hair, brows, lips and beard in the person's colours."""
    size, mesh = cut.image.shape[0], cut.mesh
    edge = size * EYE_SPAN / 60
    # Where eyes, teeth, lips and brows are.
    eyes = _soft_mask(mesh[_RIGHT_LIDS], size, edge)
    eyes = np.maximum(eyes, _soft_mask(mesh[_LEFT_LIDS], size, edge))
    teeth = _soft_mask(mesh[_INNER_LIPS], size, edge)
    lips = np.clip(_soft_mask(mesh[_OUTER_LIPS], size, edge) - teeth, 0, 1)
    brows = _soft_mask(mesh[_RIGHT_BROW], size, 2 * edge)
    brows = np.maximum(brows, _soft_mask(mesh[_LEFT_BROW], size, 2 * edge)) * (1 - cut.hair)
    grey = cut.image @ np.array([0.299, 0.587, 0.114], np.float32)
    # Hair keeps its strands: brightness by the photograph, colour by the person.
    strands = np.clip(grey / 115, 0, 1.9)[..., None]
    hair = np.array(person.hair, np.float32) * strands**0.95
    # Skin, lips and brows are the photograph's times a gain.
    skin_mask = np.clip(1 - cut.hair - 0.7 * eyes - teeth, 0, 1)[..., None]
    result = cut.image * (1 + skin_mask * (np.array(person.skin, np.float32) - 1))
    result = result * (1 + lips[..., None] * (np.array(person.lips) / person.skin - 1))
    dark = np.clip((175 - grey) / 60, 0.25, 1) * brows
    result = result * (1 + dark[..., None] * (person.brows - 1))
    # A shaven beard darkens the skin with a little grain.
    beard = (
        _soft_mask(mesh[_BEARD], size, size * EYE_SPAN / 10)
        * (1 - lips)
        * (1 - teeth)
        * person.stubble
    )
    grain = 1 + 0.12 * rng.standard_normal((size, size)).astype(np.float32)
    result = result * (1 - beard * grain * 0.42)[..., None] + beard[..., None] * np.array([4, 6, 8])
    mixed = result * (1 - cut.hair[..., None]) + hair * cut.hair[..., None]
    return cast("NDArray[np.float32]", np.clip(mixed, 0, 255).astype(np.float32))


def _reshape(
    bumps: tuple[Bump, ...], mesh: NDArray[np.float32], size: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Where each pixel of the reshaped canvas comes from, and the reshaped mesh."""
    span = float(np.linalg.norm(mesh[LEFT_EYE] - mesh[RIGHT_EYE]))
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
