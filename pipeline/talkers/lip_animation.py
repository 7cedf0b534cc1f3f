"""The mouth and all that moves with it: lips, chin, jaw, and teeth and tongue between.

A mouth cannot be opened by one smooth warp, since the lips part. The face is therefore warped twice
over the mouth's surroundings, once following the upper lip and once the lower, and each warp is
shown on its own side of the gap; teeth, tongue and darkness are drawn between.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RBFInterpolator

from pipeline.talkers.cutout import (
    CHIN,
    INNER_LIPS,
    LEFT_EYE,
    OUTER_LIPS,
    RIGHT_EYE,
    closed,
    point_ids,
    soft_mask,
)
from pipeline.talkers.warps import Region, curve, grid_step, sample_picture, upsample_map

# The contours of the lips from top to bottom.
_CONTOURS = (OUTER_LIPS[0], *INNER_LIPS, OUTER_LIPS[1])
# Points around the mouth that do not move.
_FIXED = point_ids("2 97 326 98 327 129 358 50 280 58 288 132 361 93 323")
# How far each point of chin and jaw follows the lower jaw.
_JAW = {
    152: 1.0, 175: 1.0, 199: 1.0, 200: 0.98, 148: 0.97, 377: 0.97, 176: 0.9, 400: 0.9, 149: 0.75,
    378: 0.75, 150: 0.55, 379: 0.55, 136: 0.35, 365: 0.35, 172: 0.15, 397: 0.15,
}  # fmt: skip

_MIDDLE = 5  # the point of each contour in the middle of the mouth
_DARK = np.array([34, 12, 12], np.float32)
_TONGUE = np.array([142, 72, 70], np.float32)


class Mouth:
    """The mouth of a portrait, which can be posed.

    `figure` is (C, C, 4) uint8, premultiplied RGB and opacity; `mesh` the (478, 2) face mesh in its
    pixels, `span` the distance of the outer eye corners there.
    """

    def __init__(self, figure: NDArray[np.uint8], mesh: NDArray[np.float64], span: float) -> None:
        self._figure, self._span = figure, span
        # The lips' contours in a frame of their own: eye spans from the middle of the mouth,
        # x along the line of the eyes.
        across = (mesh[LEFT_EYE] - mesh[RIGHT_EYE]) / span
        self._axes = np.array([across, [-across[1], across[0]]])
        self._origin = (mesh[61] + mesh[291]) / 2
        local = (mesh - self._origin) @ self._axes.T / span
        self._contours = [local[points] for points in _CONTOURS]
        # The part of the canvas that moves, and its grid.
        reach = 0.95 * span
        self._region = Region(
            int(self._origin[0] - reach), int(mesh[2, 1] - 0.25 * span),
            int(self._origin[0] + reach), int(mesh[CHIN, 1] + 0.55 * span),
        )  # fmt: skip
        self._step = grid_step(span)
        self._grid = self._region.grid(self._step)
        # What stands still, with the region's border, and what follows the jaw.
        r = self._region
        x, y = np.linspace(r.x0, r.x1, 6), np.linspace(r.y0, r.y1, 6)
        border = [(a, b) for a in x for b in y if a in (r.x0, r.x1) or b in (r.y0, r.y1)]
        self._fixed = np.concatenate([mesh[_FIXED], np.array(border, np.float64)])
        self._jaw, self._follows = mesh[list(_JAW)], np.array(list(_JAW.values()))
        # The photograph's upper teeth, which stay with the skull: their colour and opacity.
        teeth = figure[r.part][..., :3].astype(np.float32)
        inside = soft_mask(mesh[closed(*INNER_LIPS)], len(figure), span / 90)[r.part]
        self._teeth = teeth * 0.88
        self._teeth_opacity = inside * np.clip((teeth.mean(2) - 80) / 60, 0, 1)

    def draw(self, canvas: NDArray[np.uint8], opening: float, width: float) -> None:
        """Poses the mouth in the canvas; the arguments are those of `Performance`."""
        posed = self._pose_contours(opening, width)
        sources = [contour.copy() for contour in self._contours]
        sources[1][1:-1, 1] -= 0.012  # a little into the lips, where no tooth shows
        sources[2][1:-1, 1] += 0.012
        # The jaw follows the middle of the lower lip.
        drop = posed[2][_MIDDLE, 1] - self._contours[2][_MIDDLE, 1]
        drop *= 0.85 if drop > 0 else 0.5
        jaw = np.outer(self._follows * drop, self._axes[1]) * self._span
        # One warp follows the upper lip's inner contour, one the lower's.
        warped = []
        for inner in (1, 2):
            lips = [0, inner, 3]
            source = [self._pixels(sources[k]) for k in lips]
            target = [self._pixels(posed[k]) for k in lips]
            source[2], target[2] = source[2][1:-1], target[2][1:-1]  # the corners are shared
            moved = np.concatenate([*source, self._fixed, self._jaw])
            goal = np.concatenate([*target, self._fixed, self._jaw + jaw])
            # (rows, columns, 4) the figure in the region, its points moved.
            spline = RBFInterpolator(goal, moved - goal, kernel="thin_plate_spline")
            shift = spline(self._grid.reshape(-1, 2)).reshape(self._grid.shape)
            r, coarse = self._region, (self._grid + shift).astype(np.float32)
            full = upsample_map(coarse, r.x1 - r.x0, r.y1 - r.y0, self._step)
            warped.append(sample_picture(self._figure, full))
        top, bottom = (self._pixels(posed[k]) for k in (1, 2))
        canvas[self._region.part] = self._compose(warped, top, bottom, is_open=opening > 0)

    def _pose_contours(self, opening: float, width: float) -> list[NDArray[np.float64]]:
        """The four contours of the posed lips, in eye spans about the mouth of the photograph."""
        outer_top, top, bottom, outer_bottom = (c.copy() for c in self._contours)
        spread, rounded = max(width, 0.0), max(-width, 0.0)
        half = (top[-1, 0] - top[0, 0]) / 2
        t = np.clip((top[:, 0] - top[[0, -1], 0].mean()) / half, -1, 1)
        # The photograph smiles: its mouth is narrowed, its corners are lowered and its curve
        # is flattened, the more so when the lips are rounded or far apart.
        narrow = 0.86 * (1 + 0.1 * spread - 0.30 * rounded)
        smile = 0.42 * (1 - 0.8 * rounded) * (1 - opening)
        level = (top[:, 1] + bottom[:, 1]) / 2
        seam = 0.035 + smile * level + (0.5 - smile) * 0.45 * level[_MIDDLE] + 0.17 * opening
        gap = (1 - t * t) ** (0.62 - 0.12 * rounded)
        gap = opening * gap / gap[_MIDDLE]
        thick_top, thick_bottom = top[:, 1] - outer_top[:, 1], outer_bottom[:, 1] - bottom[:, 1]
        for contour in (outer_top, top, bottom, outer_bottom):
            contour[:, 0] *= narrow
        top[:, 1], bottom[:, 1] = seam - 0.22 * gap, seam + 0.78 * gap
        fuller = 1.15 + 0.25 * rounded - 0.15 * spread
        outer_top[:, 1] = top[:, 1] - fuller * thick_top
        outer_bottom[:, 1] = bottom[:, 1] + fuller * thick_bottom
        return [outer_top, top, bottom, outer_bottom]

    def _pixels(self, local: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) points of the mouth's own frame, in pixels of the canvas."""
        return local @ self._axes * self._span + self._origin

    def _compose(
        self,
        warped: list[NDArray[np.uint8]],
        top: NDArray[np.float64],
        bottom: NDArray[np.float64],
        *,
        is_open: bool,
    ) -> NDArray[np.uint8]:
        """Upper face, lower face and the inside of the mouth, each on its side of the lips.

        `warped` follows the upper and the lower lip, whose inner contours are `top` and `bottom`,
        (11, 2) in pixels.
        """
        grid = self._region.grid()
        x = grid[0, :, 0]
        left, right = top[0, 0], top[-1, 0]
        top, bottom = curve(top, x), curve(bottom, x)
        # The rows in which the two warps meet: above is the one, below the other.
        first = int(top.min() - 0.06 * self._span) - self._region.y0
        last = int(bottom.max() + 0.06 * self._span) - self._region.y0
        band = slice(first, last)
        y = grid[band, :, 1]
        upper = np.clip(top - y + 0.5, 0, 1)
        lower = np.clip(np.minimum(y - bottom + 0.5, 1 - upper), 0, 1)
        mixed = warped[0][band] * upper[..., None] + warped[1][band] * lower[..., None]
        # What is inside the mouth shows between the lips, which are darker at their edges.
        across = np.clip(1 - ((x - (left + right) / 2) / ((right - left) / 2)) ** 2, 0, 1) ** 0.5
        if is_open:
            inside = (1 - upper - lower)[..., None]
            mixed[..., :3] += self._cavity(y, band, top, bottom, across) * inside
            mixed[..., 3:] += 255 * inside
        near = np.minimum(np.abs(y - top), np.abs(y - bottom)) / (0.014 * self._span)
        mixed[..., :3] *= (1 - 0.5 * np.exp(-near * near) * across)[..., None]
        result = np.concatenate([warped[0][:first], warped[0][band], warped[1][last:]])
        result[band] = np.clip(mixed + 0.5, 0, 255)
        return result

    def _cavity(
        self,
        y: NDArray[np.float32],
        band: slice,
        top: NDArray[np.float64],
        bottom: NDArray[np.float64],
        across: NDArray[np.float64],
    ) -> NDArray[np.float32]:
        """Darkness, tongue and upper teeth, darker towards the lips and the corners."""
        span, gap = self._span, bottom - top
        rise = np.minimum(0.11 * span, 0.42 * gap) * across
        tongue = np.clip((y - (bottom - rise)) / (0.05 * span), 0, 1)
        tongue = tongue * np.clip((gap / span - 0.06) / 0.1, 0, 1)
        colour = _DARK + (_TONGUE - _DARK) * (tongue * across * 0.8)[..., None]
        shade = np.clip(0.55 + 0.45 * (y - top) / (0.05 * span), 0, 1) * (0.35 + 0.65 * across)
        opacity = self._teeth_opacity[band, :, None]
        return colour * (1 - opacity) + self._teeth[band] * shade[..., None] * opacity
