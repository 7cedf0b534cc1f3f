"""Drift drawn: curves as one SVG, and a page with them and the last values."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report.drift_curves import JUDGED, LIMIT, REFERENCE_SECONDS, TO_START, describe
from pipeline.dataset.html_page import html_page
from pipeline.files import write_json, write_text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.report.drift_curves import Drift

_WIDTH, _HEIGHT, _LEFT, _TOP, _GAP = 420, 170, 46, 30, 26
_COLOURS = ("#2563eb", "#d9480f", "#2b8a3e", "#9c36b5", "#b08900", "#0b7285")


def write(out: Path, drifts: Sequence[Drift]) -> list[Path]:
    """Writes OUT.json, OUT.svg and OUT.html and returns their paths."""
    paths = [out.with_suffix(suffix) for suffix in (".json", ".svg", ".html")]
    write_json(paths[0], describe(drifts))
    write_text(paths[1], drawing(drifts))
    write_text(paths[2], html_page("Drift", _page_body(drifts)))
    return paths


def drawing(drifts: Sequence[Drift]) -> str:
    """Curves over time as one SVG, a panel a measure.

    Ratios have a tenth on either side shaded; likeness to the start is drawn as it is.
    """
    shown = [
        *((name, [one.ratios.get(name) for one in drifts], LIMIT) for name in _judged(drifts)),
        *(
            (label, [one.values.get(name) for one in drifts], 0.0)
            for name, label in _starts(drifts)
        ),
    ]
    columns = 2
    rows = -(-len(shown) // columns)
    width, height = columns * (_WIDTH + _GAP), rows * (_HEIGHT + _GAP) + 24 * len(drifts)
    panels = "".join(
        _panel(*panel, k % columns * (_WIDTH + _GAP), k // columns * (_HEIGHT + _GAP))
        for k, panel in enumerate(shown)
    )
    key = "".join(
        f'<text x="{_LEFT}" y="{rows * (_HEIGHT + _GAP) + 24 * k + 14}" '
        f'fill="{_COLOURS[k % len(_COLOURS)]}">{escape(one.name)}</text>'
        for k, one in enumerate(drifts)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="sans-serif" font-size="12" fill="#777">{panels}{key}</svg>\n'
    )


def _judged(drifts: Sequence[Drift]) -> list[str]:
    """The measures that some video is judged by."""
    return [name for name in JUDGED if any(name in one.ratios for one in drifts)]


def _starts(drifts: Sequence[Drift]) -> list[tuple[str, str]]:
    """The measures against the start that some video has, and what they are called."""
    return [
        (name, name.replace("_", " ").replace("ssim", "SSIM"))
        for name in TO_START
        if any(name in one.values for one in drifts)
    ]


def _panel(
    name: str,
    by_video: Sequence[Sequence[float] | None],
    limit: float,
    left: float,
    top: float,
) -> str:
    """The curves of one measure; `limit` on either side of 1 is shaded."""
    curves = [(k, curve) for k, curve in enumerate(by_video) if curve is not None]
    most = max(len(curve) for _, curve in curves)
    every = np.concatenate([curve for _, curve in curves])
    low = min(1 - 2 * LIMIT, float(np.nanmin(every)))
    high = max(1 + 2 * limit, float(np.nanmax(every)))
    inner = _WIDTH - _LEFT

    def y(value: float) -> float:
        return top + _TOP + (_HEIGHT - _TOP - 18) * (high - value) / (high - low)

    def points(curve: Sequence[float]) -> str:
        x = left + _LEFT + (np.arange(len(curve)) + 0.5) / most * inner
        return " ".join(f"{a:.1f},{y(b):.1f}" for a, b in zip(x, curve, strict=True))

    band = (
        f'<rect x="{left + _LEFT}" width="{inner}" y="{y(1 + limit):.1f}" '
        f'height="{y(1 - limit) - y(1 + limit):.1f}" fill="#8882"/>'
    )
    ticks = "".join(
        f'<text x="{left + _LEFT - 6}" y="{y(value) + 4:.1f}" text-anchor="end">{value:.2g}</text>'
        for value in sorted({low, 1.0, high})
    )
    lines = "".join(
        f'<polyline points="{points(curve)}" fill="none" stroke-width="1.8" '
        f'stroke="{_COLOURS[k % len(_COLOURS)]}"/>'
        for k, curve in curves
    )
    title = f'<text x="{left + _LEFT}" y="{top + 18}" font-weight="bold">{name}</text>'
    end = left + _WIDTH
    foot = top + _HEIGHT
    axis = (
        f'<text x="{left + _LEFT}" y="{foot}">0 s</text>'
        f'<text x="{end}" y="{foot}" text-anchor="end">{most} s</text>'
    )
    return title + band + ticks + lines + axis


def _page_body(drifts: Sequence[Drift]) -> str:
    """The drawing, the last ratios as a table, and the likeness to the start as another."""
    names = _judged(drifts)
    head = "".join(f"<th>{name}</th>" for name in ["video", "seconds", *names, "within a tenth"])
    rows = "".join(
        f"<tr><td>{escape(one.name)}</td><td>{one.seconds}</td>"
        + "".join(f"<td>{one.last[n]:.3f}</td>" if n in one.last else "<td>–</td>" for n in names)
        + f"<td>{'yes' if one.steady else 'no'}</td></tr>"
        for one in drifts
    )
    missing = sorted({one.identity for one in drifts if one.identity})
    note = "".join(f"<p>No identity cosine: {escape(reason)}.</p>" for reason in missing)
    return (
        "<h1>Drift</h1><p>Each second against the mean of the first "
        f"{REFERENCE_SECONDS}; the band is a tenth on either side.</p>{drawing(drifts)}"
        f'<h2>Last two seconds</h2><div class="scroll"><table><tr>{head}</tr>{rows}</table></div>'
        f"{note}{_start_table(drifts)}"
    )


def _start_table(drifts: Sequence[Drift]) -> str:
    """Likeness to the start in the first second, halfway and in the last."""
    rows = "".join(
        f"<tr><td>{escape(one.name)}</td><td>{label}</td>"
        + "".join(f"<td>{one.values[name][k]:.3f}</td>" for k in (0, one.seconds // 2, -1))
        + "</tr>"
        for one in drifts
        for name, label in _starts(drifts)
        if name in one.values
    )
    return (
        "<h2>Against the start</h2><p>The start is the face that was given, or the video's first "
        "frame. What is lost before the first seconds end shows here alone; a head that moves is "
        'less like its start too.</p><div class="scroll"><table><tr><th>video</th><th></th>'
        f"<th>first second</th><th>halfway</th><th>last second</th></tr>{rows}</table></div>"
    )
