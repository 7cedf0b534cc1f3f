"""Animates a portrait: mouth, lids, and a slowly moving head."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.talkers.acting import Performance
from pipeline.talkers.cutout import CHIN, LIDS, eye_span
from pipeline.talkers.lip_animation import Mouth
from pipeline.talkers.portraits import Portrait
from pipeline.talkers.warps import (
    Region,
    curve,
    grid_step,
    sample_picture,
    smoothstep,
    upsample_map,
)


class Talker:
    """A portrait that can be posed, in frames of `size`, at most four fifths of the canvas."""

    def __init__(self, portrait: Portrait, size: int) -> None:
        canvas = portrait.figure.shape[0]
        edge = (canvas - size) // 2
        self._frame = Region(edge, edge, edge + size, edge + size)
        self._mesh, self._span = portrait.mesh.astype(np.float64), eye_span(portrait.mesh)
        figure = portrait.figure.astype(np.float32)
        figure[..., :3] *= figure[..., 3:] / 255  # premultiplied: edges resample without a fringe
        self._figure = figure.round().astype(np.uint8)
        self._backdrop = portrait.backdrop[self._frame.part].astype(np.float32)
        self._mouth = Mouth(self._figure, self._mesh, self._span)
        self._eyes = [_Eye(self._figure, self._mesh[np.array(lids)], self._span) for lids in LIDS]
        self._step = grid_step(self._span)
        self._nodes = self._frame.grid(self._step)
        below = (self._nodes[..., 1] - self._mesh[CHIN, 1]) / self._span
        sink = np.clip((below - 0.1) / 0.5, 0, 1)
        self._follows = (1 - 0.75 * smoothstep(sink))[..., None]  # shoulders move less

    def render(self, performance: Performance) -> Iterator[NDArray[np.uint8]]:
        """The frames of a performance, (size, size, 3) uint8 RGB."""
        columns = (performance.opening, performance.width, performance.lids, performance.head)
        for opening, width, lids, head in zip(*columns, strict=True):
            yield self.pose(float(opening), float(width), float(lids), head)

    def pose(
        self, opening: float, width: float, lids: float, head: NDArray[np.float64]
    ) -> NDArray[np.uint8]:
        """One frame; the arguments are those of `Performance`."""
        canvas = self._figure.copy()
        self._mouth.draw(canvas, opening, width)
        if lids > 0:
            for eye in self._eyes:
                eye.draw(canvas, lids)
        # The figure moves as the head does, over a backdrop that stands still.
        source = self._head_motion(head)
        moved = cv2.remap(canvas, source[..., 0], source[..., 1], cv2.INTER_LINEAR)
        frame = self._backdrop * (1 - moved[..., 3:] * np.float32(1 / 255))
        frame += moved[..., :3]
        return cv2.convertScaleAbs(frame)

    def _head_motion(self, head: NDArray[np.float64]) -> NDArray[np.float32]:
        """(size, size, 2) where each pixel of the frame comes from when the head has moved."""
        angle, scale = np.deg2rad(head[2]), 1 + head[3]
        cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
        pivot = self._mesh[CHIN] + [0, 0.3 * self._span]
        turned = (self._nodes - pivot - head[:2] * self._span) @ np.array([[cos, -sin], [sin, cos]])
        source = self._nodes + self._follows * (turned + pivot - self._nodes)
        size = self._frame.x1 - self._frame.x0
        return upsample_map(source.astype(np.float32), size, size, self._step)


class _Eye:
    """One eye, whose upper lid can come down over it."""

    def __init__(self, figure: NDArray[np.uint8], lids: NDArray[np.float64], span: float) -> None:
        upper, lower = lids  # (points, 2) each
        pad = 0.05 * span
        self._fold = 0.17 * span  # height of the skin above the lid that is stretched
        self._lash = 0.014 * span
        self._region = Region(
            int(upper[:, 0].min() - pad), int(upper[:, 1].min() - self._fold - pad),
            int(upper[:, 0].max() + pad), int(lower[:, 1].max() + pad),
        )  # fmt: skip
        grid = self._region.grid()
        self._x, self._y = grid[..., 0], grid[..., 1]
        self._upper = curve(upper, grid[0, :, 0])
        opening = np.maximum(curve(lower, grid[0, :, 0]) - self._upper, 0)
        # A little beyond the lower lid, so that no white is left; nothing at the corners.
        self._travel = opening + 0.02 * span * np.clip(opening / (0.05 * span), 0, 1)
        self._figure = figure

    def draw(self, canvas: NDArray[np.uint8], shut: float) -> None:
        """Lowers the lid by the share `shut` of the eye's opening."""
        travel = shut * self._travel
        edge = self._upper + travel
        top = self._upper - self._fold
        share = np.clip((self._y - top) / (edge - top), 0, 1)
        source_y = (self._y - travel * smoothstep(share)).astype(np.float32)
        lid = sample_picture(self._figure, np.dstack([self._x, source_y]))
        cover = np.clip(edge + self._lash - self._y + 0.5, 0, 1)[..., None]
        below = canvas[self._region.part].astype(np.float32)
        result = lid * cover + below * (1 - cover)
        canvas[self._region.part] = np.clip(result + 0.5, 0, 255).astype(np.uint8)
