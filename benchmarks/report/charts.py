"""Small drawings of the report as inline SVG: distributions, intervals, curves over time.

Series have the classes `s0`, `s1` … in the order of the systems and `real` for the real clips; the
page gives them colours, light and dark.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from pipeline.units import number_text as number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_BINS = 24  # at most; few clips have fewer
_WIDTH = 320
_HISTOGRAM, _FOOT = 64, 16  # heights
_STRIP = 14  # height of one system's interval
_CURVES = 96
_POINTS = 300  # of a curve; more cannot be told apart


@dataclass(frozen=True)
class Series:
    """Values with a name and the CSS class that colours them."""

    name: str
    css: str
    values: NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean with its interval, if it has one."""

    name: str
    css: str
    mean: float
    ci95: tuple[float, float] | None


def distribution(
    series: Sequence[Series], found: Sequence[Interval], real: float | None = None
) -> str:
    """Means with their intervals above the distributions over clips, all on one axis.

    Args:
        series: (N,) finite values of clips each, N >= 1; none for numbers that only a set has.
        found: the mean of each system; with no series, one at least.
        real: the mean of the real clips, a line through the means; None where there is none.
    """
    ends = [float(end) for one in series for end in (one.values.min(), one.values.max())]
    ends += [bound for one in found for bound in (*(one.ci95 or ()), one.mean)]
    ends += [] if real is None else [real]
    low, high = min(ends), max(ends)
    if high <= low:  # all alike: numpy would make bins so narrow that rounding decides
        low, high = low - 1, high + 1
    head = _STRIP * len(found) + 4
    bottom = head + (_HISTOGRAM if series else 0)
    labels = "".join(
        f'<text x="{at}" y="{bottom + _FOOT - 3}" text-anchor="{anchor}">{number(value)}</text>'
        for at, anchor, value in ((0, "start", low), (_WIDTH, "end", high))
    )
    return (
        f'<svg class="chart" viewBox="0 -2 {_WIDTH} {bottom + _FOOT + 2}" role="img" '
        f'aria-label="means with 95% intervals, and the distribution over clips">'
        f"{_histograms(series, (low, high), bottom)}"
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{bottom}" y2="{bottom}"/>'
        f"{_means(found, real, (low, high), head)}{labels}</svg>"
    )


def _histograms(series: Sequence[Series], limits: tuple[float, float], bottom: float) -> str:
    """Each distribution as a filled step line; the tallest bar of all has the full height."""
    if not series:
        return ""
    bins = int(np.clip(2 * np.sqrt(max(len(one.values) for one in series)), 8, _BINS))
    shares = [np.histogram(one.values, bins, limits)[0] / len(one.values) for one in series]
    top = max(share.max() for share in shares)
    return "".join(
        f'<path class="steps {one.css}" d="{_steps(share / top, bottom)}">'
        f"<title>{escape(one.name)}: {len(one.values)} clips, median "
        f"{number(float(np.median(one.values)))}</title></path>"
        for one, share in zip(series, shares, strict=True)
    )


def _steps(shares: NDArray[np.float64], bottom: float) -> str:
    """The outline of a histogram whose tallest bar is 1."""
    step = _WIDTH / len(shares)
    path = f"M0,{bottom}"
    for k, share in enumerate(shares):
        y = bottom - share * (_HISTOGRAM - 3)
        path += f"L{k * step:.1f},{y:.1f}L{(k + 1) * step:.1f},{y:.1f}"
    return f"{path}L{_WIDTH},{bottom}Z"


def _means(
    found: Sequence[Interval], real: float | None, limits: tuple[float, float], height: float
) -> str:
    """A dot and a bar for each system, one below the other; the real clips' line through all."""

    def x(value: float) -> str:
        return f"{(value - limits[0]) / (limits[1] - limits[0]) * _WIDTH:.1f}"

    shapes = ""
    if real is not None:
        shapes = (
            f'<line class="line real" x1="{x(real)}" x2="{x(real)}" y1="-2" y2="{height - 2}">'
            f"<title>real {number(real)}</title></line>"
        )
    for k, one in enumerate(found):
        y = _STRIP * (k + 0.5)
        told = f"{escape(one.name)} {number(one.mean)}"
        if one.ci95:
            a, b = one.ci95
            told += f", 95% CI {number(a)} to {number(b)}"
            shapes += f'<line class="bar {one.css}" x1="{x(a)}" x2="{x(b)}" y1="{y}" y2="{y}"/>'
        shapes += (
            f'<circle class="dot {one.css}" cx="{x(one.mean)}" cy="{y}" r="4.5">'
            f"<title>{told}</title></circle>"
        )
    return shapes


def curves(
    lines: Sequence[Series], area: NDArray[np.float64] | None, seconds: float, unit: str = ""
) -> str:
    """Curves over time in one range, before a filled area in a range of its own.

    Args:
        lines: (T,) values each; NaN breaks a line. One value at least is finite.
        area: (T,) values, or None.
        seconds: length of the time axis.
        unit: of the lines, behind the numbers of the axis.
    """
    everything = np.concatenate([one.values for one in lines])
    low, high = float(np.nanmin(everything)), float(np.nanmax(everything))
    high = high if high > low else low + 1
    bottom = _CURVES - _FOOT
    shapes = ""
    if area is not None and len(area) > 1 and np.ptp(area) > 0:
        filled = _line(area, float(area.min()), float(area.max()), bottom)
        shapes = f'<path class="area" d="{filled}L{_WIDTH},{bottom}L0,{bottom}Z"/>'
    for one in lines:
        shapes += (
            f'<path class="line {one.css}" d="{_line(one.values, low, high, bottom)}">'
            f"<title>{escape(one.name)}</title></path>"
        )
    scale = f"{number(low)} to {number(high)} {unit}".rstrip()
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_CURVES}" role="img" '
        f'aria-label="curves over time">{shapes}'
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{bottom}" y2="{bottom}"/>'
        f'<text x="0" y="{_CURVES - 3}" text-anchor="start">0 s</text>'
        f'<text x="{_WIDTH / 2}" y="{_CURVES - 3}" text-anchor="middle">{escape(scale)}</text>'
        f'<text x="{_WIDTH}" y="{_CURVES - 3}" text-anchor="end">{number(seconds)} s</text></svg>'
    )


def _line(values: NDArray[np.float64], low: float, high: float, bottom: float) -> str:
    """An SVG path; values that are not finite break it."""
    keep = np.linspace(0, len(values) - 1, min(len(values), _POINTS)).round().astype(int)
    x = np.linspace(0, _WIDTH, len(values))
    y = bottom - 2 - (values - low) / (high - low) * (bottom - 5)
    path, pen = "", "M"
    for k in keep:
        if np.isfinite(y[k]):
            path += f"{pen}{x[k]:.1f},{y[k]:.1f}"
            pen = "L"
        else:
            pen = "M"
    return path
