"""The clips of the report: video, values, and the opening of the lips over the sound."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report.charts import Series, curves
from benchmarks.report.excerpts import values_of
from benchmarks.report.metric_cards import colour
from pipeline.media import FPS
from pipeline.units import number_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from benchmarks.report.excerpts import Excerpt
    from benchmarks.scoring.results import ClipRow, Scores


def clip_section(
    scores: Sequence[Scores], excerpts: Sequence[Excerpt], by: str, ids: Mapping[str, str]
) -> str:
    """Worst and best clips with what is known of each.

    Args:
        scores: of one data set.
        excerpts: the clips, in order.
        by: the metric that chose them.
        ids: the id on the page of each clip.
    """
    if not excerpts:
        return "<h2>Clips</h2><p>None shown: no clip has a value of its own.</p>"
    label = next(one["metrics"][by]["label"] for one in scores if by in one["metrics"])
    several = ", mean over the systems" if len(scores) > 1 else ""
    systems = ", ".join(
        f'<span class="key-text {colour(index)}">{escape(one["method"])}</span>'
        for index, one in enumerate(scores)
    )
    how = (
        f"Worst and best by {escape(label)}{several}. The real clip first, beside it what was "
        "generated of it, with the sound of the generated video. Below: opening of the inner lips, "
        f'<span class="key-text real">real</span> and {systems}, over the loudness of the speech.'
    )
    cards = "".join(_card(scores, excerpt, ids[excerpt.clip_id], by) for excerpt in excerpts)
    return f'<h2>Worst and best clips</h2><p>{how}</p><div class="grid clips">{cards}</div>'


def _card(scores: Sequence[Scores], excerpt: Excerpt, anchor: str, by: str) -> str:
    rows = [
        (index, row)
        for index, one in enumerate(scores)
        for row in one["clips"]
        if row["clip_id"] == excerpt.clip_id
    ]
    warnings = "".join(
        f'<p class="warning">{escape(text)}</p>'
        for _, row in rows
        for text in row.get("warnings", [])
    )
    name = escape(excerpt.clip_id)
    return (
        f'<article id="{anchor}">'
        f'<h3><span class="badge {excerpt.kind}">{excerpt.kind}</span> {name}</h3>'
        f"{excerpt.html}{_lips(scores, rows)}{_values(scores, excerpt.clip_id, by)}"
        f"{warnings}</article>"
    )


def _lips(scores: Sequence[Scores], rows: Sequence[tuple[int, ClipRow]]) -> str:
    """Opening of the lips, real and generated, over the energy of the sound."""
    lines: list[Series] = []
    energy: NDArray[np.float64] | None = None
    for index, row in rows:
        found = row.get("curves", {})
        if len(found.get("lips_real", ())) > 1 and not lines:
            lines.append(Series("real", "real", _numbers(found["lips_real"])))
            energy = _numbers(found.get("energy", []))
        if len(found.get("lips_fake", ())) > 1:
            name = scores[index]["method"]
            lines.append(Series(name, colour(index), _numbers(found["lips_fake"])))
    lines = [one for one in lines if np.isfinite(one.values).any()]
    if not lines:
        return ""
    seconds = max(len(one.values) for one in lines) / FPS
    return curves(lines, energy if energy is not None and len(energy) else None, seconds)


def _numbers(values: Sequence[float | None]) -> NDArray[np.float64]:
    """A curve whose gaps are NaN."""
    return np.array([np.nan if value is None else value for value in values], np.float64)


def _values(scores: Sequence[Scores], clip: str, by: str) -> str:
    """Every metric of the clip, a column a system, and the real clip's where it has one.

    The metric that chose the clip is in view, the others unfold.
    """
    lines = {}
    for name, values in values_of(scores, clip).items():
        rows = [one["metrics"].get(name) for one in scores]
        label = next((row["label"] for row in rows if row), name)
        cells = [_cell(value, colour(index)) for index, value in enumerate(values)]
        cells.append(_cell(_real(scores, clip, name), "real"))
        lines[name] = f"<tr><th>{escape(label)}</th>{''.join(cells)}</tr>"
    if not lines:
        return ""
    first = lines.pop(by, "")
    rest = f"<details><summary>All its values</summary>{_table(''.join(lines.values()))}</details>"
    return _table(first) + (rest if lines else "")


def _table(body: str) -> str:
    return f'<table class="values"><tbody>{body}</tbody></table>'


def _cell(value: float | None, css: str) -> str:
    return f'<td class="{css}">{"" if value is None else number_text(value)}</td>'


def _real(scores: Sequence[Scores], clip: str, name: str) -> float | None:
    """The value of the real clip itself, from the first scores that know it."""
    rows = (row for one in scores for row in one["clips"] if row["clip_id"] == clip)
    found = (row["real_values"][name] for row in rows if name in row.get("real_values", {}))
    return next(found, None)
