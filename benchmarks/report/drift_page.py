"""Drift of videos drawn: OUT.svg with all curves, OUT.html with them and the last values."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from benchmarks.report.drift import JUDGED, LIMIT, REFERENCE_SECONDS, TO_START, Drift, describe
from benchmarks.report.figures import Series, curves, draw_curves, system_colour
from pipeline.files import write_json, write_text
from pipeline.plots import COLOURS, inline_svg
from pipeline.templates import environment
from pipeline.units import number_text

_PANEL = 380, 130  # CSS pixels of a panel of OUT.svg with its title and range
_LINE = 20  # of a name below the panels

Panel = tuple[str, list[Series], float]  # title, a curve a video, the band around 1


def write_drift(out: Path, drifts: Sequence[Drift]) -> list[Path]:
    """Writes OUT.json, OUT.svg and OUT.html and returns their paths."""
    paths = [out.with_suffix(suffix) for suffix in (".json", ".svg", ".html")]
    panels, seconds = _panels(drifts), max(one.seconds for one in drifts)
    starts = [name for name in TO_START if any(name in one.values for one in drifts)]
    html = environment("benchmarks").get_template("drift.html.j2").render(
        drifts=drifts,
        names=[(one.name, system_colour(k)) for k, one in enumerate(drifts)],
        plots=[
            (title, curves(lines, seconds, band=band, in_view=_in_view(band)))
            for title, lines, band in panels
        ],
        judged=[name for name in JUDGED if any(name in one.ratios for one in drifts)],
        starts=[(name, _start_title(name)) for name in starts],
        missing=sorted({one.identity for one in drifts if one.identity}),
        reference=REFERENCE_SECONDS,
    )  # fmt: skip
    write_json(paths[0], describe(drifts))
    write_text(paths[1], drift_svg(panels, seconds))
    write_text(paths[2], html)
    return paths


def _panels(drifts: Sequence[Drift]) -> list[Panel]:
    """A panel for each measure: ratios with a tenth on either side, then likeness to the start."""
    panels = []
    for name in (*JUDGED, *TO_START):
        lines = []
        for k, one in enumerate(drifts):
            found = one.ratios.get(name, one.values.get(name) if name in TO_START else None)
            if found is not None:
                lines.append(Series(one.name, system_colour(k), np.array(found, np.float64)))
        if lines:
            judged = name in JUDGED
            panels.append((name if judged else _start_title(name), lines, LIMIT if judged else 0.0))
    return panels


def _in_view(band: float) -> tuple[float, float]:
    """The axis of every panel reaches two tenths below 1, and as far above if there is a band."""
    return 1 - 2 * LIMIT, 1 + 2 * band


def _start_title(name: str) -> str:
    return name.replace("_", " ").replace("ssim", "SSIM")


def drift_svg(panels: Sequence[Panel], seconds: int) -> str:
    """All panels in two columns as one drawing, the names of the videos below them."""
    width, height = _PANEL
    rows = -(-len(panels) // 2)
    names = {one.name: one.colour for _, lines, _ in panels for one in lines}
    total = rows * height + _LINE * len(names) + 10
    figure = Figure(figsize=(2 * width / 72, total / 72))
    for k, (title, lines, band) in enumerate(panels):
        left, top = k % 2 * width + 12, total - k // 2 * height
        inside = (left, top - height + 26, width - 24, height - 52)
        axes = figure.add_axes(
            (inside[0] / 2 / width, inside[1] / total, inside[2] / 2 / width, inside[3] / total)
        )
        low, high = draw_curves(axes, lines, seconds, band=band, in_view=_in_view(band))
        axes.set_title(title, loc="left", fontsize=12, fontweight="bold", color=COLOURS["text"])
        texts = ("0 s", f"{number_text(low)} to {number_text(high)}", f"{seconds} s")
        for text, x, side in zip(texts, (0, 0.5, 1), ("left", "center", "right"), strict=True):
            axes.text(x, -0.2, text, ha=side, transform=axes.transAxes, fontsize=11,
                      color=COLOURS["soft"])  # fmt: skip
    for k, (name, colour) in enumerate(names.items()):
        y = (_LINE * (len(names) - k) - 8) / total
        figure.text(6 / width, y, name, fontsize=12, color=COLOURS[colour])
    return inline_svg(figure, "drift of " + ", ".join(names))
