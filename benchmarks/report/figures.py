"""Plots of the report: distributions with means and intervals, and curves over time."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.plots import COLOURS, inline_svg
from pipeline.units import number_text

_WIDTH = 320  # CSS pixels, as are the heights
_HISTOGRAM, _CURVES, _FOOT = 64, 84, 16
_STRIP = 14  # height of one system's interval
_BINS = 24  # at most; few clips have fewer
_POINTS = 300  # of a curve; more cannot be seen
_TICKS = 0.12  # share of the width left of curves, for their range
_DASHES = (0, (4, 3))
_ROUND: dict[str, Any] = {"solid_capstyle": "round"}


@dataclass(frozen=True)
class Series:
    """Values with a name, in a colour of `pipeline.plots.COLOURS`."""

    name: str
    colour: str
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Mean:
    """A mean with its 95% interval, if it has one, in a colour of `pipeline.plots.COLOURS`."""

    name: str
    colour: str
    value: float
    ci95: tuple[float, float] | None


def system_colour(index: int) -> str:
    """The colour of the system at this place on the page."""
    return f"s{index % 6}"


def distribution(series: Sequence[Series], means: Sequence[Mean], real: float | None = None) -> str:
    """Means with their intervals above the distributions over clips, all on one axis, as SVG.

    `series`: (N,) finite values of clips each, N >= 1; none for numbers that only a set has;
    `means`: the mean of each system; with no series, one at least; `real`: the mean of the real
    clips, a dashed line through the means; None where unknown.
    """
    ends = [float(end) for one in series for end in (one.values.min(), one.values.max())]
    ends += [bound for one in means for bound in (*(one.ci95 or ()), one.value)]
    ends += [] if real is None else [real]
    low, high = min(ends), max(ends)
    if high <= low:  # all alike: numpy would make bins so narrow that rounding decides
        low, high = low - 1, high + 1
    head, body = _STRIP * len(means) + 4, _HISTOGRAM if series else 0
    figure, height = Figure(figsize=(_WIDTH / 72, (head + body + _FOOT) / 72)), head + body + _FOOT

    # Means and intervals, one system below the other.
    strip = figure.add_axes((0, (body + _FOOT) / height, 1, head / height))
    strip.set_axis_off()
    strip.set(xlim=(low, high), ylim=(head, 0))
    if real is not None:
        strip.axvline(real, color=COLOURS["real"], linestyle=_DASHES)
    for k, mean in enumerate(means):
        y, colour = _STRIP * (k + 0.5), COLOURS[mean.colour]
        if mean.ci95:
            strip.plot(mean.ci95, [y, y], color=colour, linewidth=3, alpha=0.6, **_ROUND)
        # A dot: a marker would have an id, which figures of a page must not share.
        strip.plot([mean.value] * 2, [y, y], color=colour, linewidth=8.5, **_ROUND)

    # Distributions as filled steps; the tallest bar of all has the full height.
    if series:
        axes = figure.add_axes((0, _FOOT / height, 1, body / height))
        axes.set_axis_off()
        bins = int(np.clip(2 * np.sqrt(max(len(one.values) for one in series)), 8, _BINS))
        edges = np.linspace(low, high, bins + 1)
        shares = [np.histogram(one.values, edges)[0] / len(one.values) for one in series]
        axes.set(xlim=(low, high), ylim=(0, 1.04 * max(share.max() for share in shares)))
        for one, share in zip(series, shares, strict=True):
            colour, is_real = COLOURS[one.colour], one.colour == "real"
            if not is_real:
                axes.stairs(share, edges, fill=True, color=colour, alpha=0.28)
            style = _DASHES if is_real else "solid"
            axes.stairs(share, edges, color=colour, linewidth=1.2, linestyle=style)
    _foot(figure, height, number_text(low), number_text(high))
    return inline_svg(figure, f"means and distributions over clips: {_names(means)}")


def curves(
    lines: Sequence[Series],
    seconds: float,
    *,
    area: NDArray[np.float64] | None = None,
    band: float = 0.0,
    in_view: tuple[float, float] | None = None,
) -> str:
    """Curves over time in one range, as SVG.

    `lines`: (T,) values each; NaN breaks a line. One value at least is finite; `area`: (T,) values
    that are filled behind the curves, in a range of their own; or None; `in_view`: values that the
    axis reaches at least, so that small changes look small.
    """
    height = _CURVES + _FOOT
    figure = Figure(figsize=(_WIDTH / 72, height / 72))
    axes = figure.add_axes((_TICKS, _FOOT / height, 1 - _TICKS, _CURVES / height))
    axes.set_axis_off()
    values = np.concatenate([one.values for one in lines])
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    bottom, top = min((low, *(in_view or ()))), max((high, *(in_view or ())))
    top = top if top > bottom else bottom + 1
    margin = 0.04 * (top - bottom)
    axes.set(xlim=(0, seconds), ylim=(bottom - margin, top + margin))
    axes.axhline(bottom - margin, color=COLOURS["line"], linewidth=1)
    if band:
        axes.axhspan(1 - band, 1 + band, color=COLOURS["area"], alpha=0.35, linewidth=0)
    if area is not None and len(area) > 1 and np.ptp(area) > 0:
        share = (area - area.min()) / np.ptp(area)
        x = np.linspace(0, seconds, len(area))
        y = bottom + share * (top - bottom)
        ends = [bottom - margin] * 2
        # A polygon: the path of fill_between may get an id, which figures of a page must not share.
        outline = np.insert(x, [0, len(x)], [0, seconds]), np.insert(y, [0, len(y)], ends)
        axes.fill(*outline, color=COLOURS["area"], alpha=0.7, linewidth=0)
    longest = max(len(one.values) for one in lines)
    for one in lines:
        keep = np.linspace(0, len(one.values) - 1, min(len(one.values), _POINTS)).round()
        keep = keep.astype(int)
        x = (keep + 0.5) / longest * seconds  # a value is of a frame or second, not of an instant
        style = _DASHES if one.colour == "real" else "solid"
        colour = COLOURS[one.colour]
        axes.plot(x, one.values[keep], color=colour, linewidth=1.8, linestyle=style)
    # The vertical axis: the least and the greatest value drawn, at their heights, if apart.
    for value in (low, high) if high - low > 0.15 * (top - bottom) else (high,):
        y = (value - bottom + margin) / (top - bottom + 2 * margin)
        axes.text(-0.01, y, number_text(value), ha="right", va="center", fontsize=11,
                  color=COLOURS["soft"], transform=axes.transAxes)  # fmt: skip
    _foot(figure, height, "0 s", f"{number_text(seconds)} s", left=_TICKS)
    return inline_svg(figure, f"curves over time: {_names(lines)}")


def _foot(figure: Figure, height: float, first: str, last: str, left: float = 0) -> None:
    """Texts at both ends of the axis."""
    for text, x, side in ((first, left, "left"), (last, 1, "right")):
        figure.text(x, 3 / height, text, ha=side, fontsize=11, color=COLOURS["soft"])


def _names(shown: Sequence[Series | Mean]) -> str:
    return ", ".join(one.name for one in shown)
