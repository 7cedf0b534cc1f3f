"""Small drawings for a page: histograms, and a curve over an area, as inline SVG."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pipeline.units import number_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BINS = 24
_WIDTH, _HEIGHT, _FOOT = 320, 110, 18
_CURVE_HEIGHT = 52
_POINTS = 240  # of a curve; more cannot be told apart


def histogram(values: NDArray[np.floating]) -> str:
    """A histogram with its range below and the median marked.

    Args:
        values: (N,) finite, N >= 1.
    """
    # All values alike: numpy would make bins so narrow that rounding decides.
    low, high = float(values.min()), float(values.max())
    bins, bounds = (_BINS, (low, high)) if high > low else (_BINS + 1, (low - 1, high + 1))
    counts, edges = np.histogram(values, bins, bounds)
    step, height = _WIDTH / bins, _HEIGHT - _FOOT
    bars = "".join(
        f'<rect x="{k * step:.1f}" y="{height * (1 - n / counts.max()):.1f}" '
        f'width="{step - 1.5:.1f}" height="{height * n / counts.max():.1f}">'
        f"<title>{number_text(edges[k])} to {number_text(edges[k + 1])}: {n}</title></rect>"
        for k, n in enumerate(counts)
        if n
    )
    median = float(np.median(values))
    x = (median - edges[0]) / (edges[-1] - edges[0]) * _WIDTH
    ends = [(0.0, "start", low), (float(_WIDTH), "end", high)]
    if low == high:
        ends = [(_WIDTH / 2, "middle", low)]
    labels = "".join(
        f'<text x="{at:.0f}" y="{_HEIGHT - 4}" text-anchor="{anchor}">{number_text(value)}</text>'
        for at, anchor, value in ends
    )
    return (
        f'<svg class="histogram" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{bars}'
        f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{height}" y2="{height}"/>'
        f'<line class="median" x1="{x:.1f}" x2="{x:.1f}" y1="0" y2="{height}">'
        f"<title>median {number_text(median)}</title></line>{labels}</svg>"
    )


def curve_over_area(
    curve: NDArray[np.floating],
    area: NDArray[np.floating],
    curve_range: tuple[float, float],
    area_range: tuple[float, float],
) -> str:
    """A curve before a filled area, each in its own range; values outside are clipped.

    Args:
        curve: (T,)
        area: (T,)
        curve_range: of the drawing, bottom and top.
        area_range: of the drawing, bottom and top.
    """
    line = _points(curve, curve_range)
    filled = f"0,{_CURVE_HEIGHT} {_points(area, area_range)} {_WIDTH},{_CURVE_HEIGHT}"
    return (
        f'<svg class="curve" viewBox="0 0 {_WIDTH} {_CURVE_HEIGHT}" preserveAspectRatio="none" '
        f'role="img"><polygon points="{filled}"/><polyline points="{line}"/></svg>'
    )


def _points(values: NDArray[np.floating], limits: tuple[float, float]) -> str:
    """SVG points of a curve that spans the drawing; long ones are averaged."""
    parts = np.array_split(values, min(len(values), _POINTS))
    means = np.array([part.mean() for part in parts])
    share = np.clip((means - limits[0]) / (limits[1] - limits[0]), 0, 1)
    x = np.linspace(0, _WIDTH, len(means))
    y = 1 + (_CURVE_HEIGHT - 2) * (1 - share)
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
