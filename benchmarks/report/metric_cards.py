"""The metrics of the report: a card each with means, intervals and the distribution over clips."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report.charts import Interval, Series, distribution
from benchmarks.report.excerpts import order_clips
from benchmarks.tables.layout import ARROWS
from pipeline.units import number_text as number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.scoring.results import Scores, SetRow


def metric_names(scores: Sequence[Scores]) -> list[str]:
    """Every metric that one of the scores has, in their order."""
    return list(dict.fromkeys(name for one in scores for name in one["metrics"]))


def colour(index: int) -> str:
    """The CSS class of a system, by its place on the page."""
    return f"s{index % 6}"


def metric_cards(scores: Sequence[Scores], linked: Mapping[str, str]) -> str:
    """A card for each metric that was measured, then a list of those that were not.

    Args:
        scores: of one data set.
        linked: the id on the page of each clip that is shown on it.
    """
    cards, missing = [], []
    for name in metric_names(scores):
        rows = [one["metrics"].get(name) for one in scores]
        if any(row and row["mean"] is not None for row in rows):
            cards.append(_card(name, scores, rows, linked))
        else:
            missing.append(next(row for row in rows if row))
    return f'<div class="grid metrics">{"".join(cards)}</div>{_missing(missing)}'


def _card(
    name: str, scores: Sequence[Scores], rows: Sequence[SetRow | None], linked: Mapping[str, str]
) -> str:
    known = next(row for row in rows if row and row["mean"] is not None)
    real = next((row["real"] for row in rows if row and row["real"] is not None), None)
    numbers = "".join(
        _number(one["method"], colour(index), row)
        for index, (one, row) in enumerate(zip(scores, rows, strict=True))
    )
    if real is not None:
        numbers += f'<dt class="real">real</dt><dd><b>{number(real)}</b></dd>'
    found = [
        Interval(one["method"], colour(index), row["mean"], _pair(row["ci95"]))
        for index, (one, row) in enumerate(zip(scores, rows, strict=True))
        if row and row["mean"] is not None
    ]
    series = _series(name, scores)
    # One dot on an axis of its own says nothing.
    drawn = (
        distribution(series, found, real) if series or len(found) > 1 or real is not None else ""
    )
    unit = f" · {known['unit']}" if known["unit"] else ""
    return (
        f"<figure><figcaption><b>{escape(known['label'])} "
        f'<span class="arrow">{ARROWS[known["direction"]]}</span></b>'
        f"<span>{known['n']} clips{escape(unit)}</span></figcaption>"
        f'<dl class="means">{numbers}</dl>{drawn}{_ends(name, scores, linked)}'
        f"{_protocol(known['protocol'])}</figure>"
    )


def _protocol(text: str) -> str:
    """The number's full name, and behind it how it is measured."""
    name, _, how = text.partition(": ")
    summary = f"<summary>{escape(name)}</summary>"
    return f'<details class="protocol">{summary}{escape(how)}</details>'


def _number(method: str, css: str, row: SetRow | None) -> str:
    label = f'<dt class="{css}">{escape(method)}</dt>'
    if row is None or row["mean"] is None:
        why = escape(row["reason"] if row else "not in these scores")
        return f"{label}<dd><b>n/a</b><small>{why}</small></dd>"
    bounds = _pair(row["ci95"])
    spread = f"<small>{number(bounds[0])} to {number(bounds[1])}</small>" if bounds else ""
    return f"{label}<dd><b>{number(row['mean'])}</b>{spread}</dd>"


def _pair(bounds: list[float] | None) -> tuple[float, float] | None:
    return (bounds[0], bounds[1]) if bounds else None


def _series(name: str, scores: Sequence[Scores]) -> list[Series]:
    """The values over clips of each system, and of the real clips where they have some."""
    series = []
    for index, one in enumerate(scores):
        values = [row["values"][name] for row in one["clips"] if name in row.get("values", {})]
        if values:
            series.append(Series(one["method"], colour(index), np.array(values, np.float64)))
    real = {
        row["clip_id"]: row["real_values"][name]
        for one in scores
        for row in one["clips"]
        if name in row.get("real_values", {})
    }
    if series and real:
        series.append(Series("real", "real", np.array(list(real.values()), np.float64)))
    return series


def _ends(name: str, scores: Sequence[Scores], linked: Mapping[str, str]) -> str:
    ordered = order_clips(scores, name)
    if len(ordered) < 2:
        return ""
    shown = "".join(
        f"<div>{kind} {_link(clip, linked)}</div>"
        for kind, clip in (("worst", ordered[0]), ("best", ordered[-1]))
    )
    return f'<div class="ends">{shown}</div>'


def _link(clip: str, linked: Mapping[str, str]) -> str:
    code = f"<code>{escape(clip)}</code>"
    return f'<a href="#{linked[clip]}">{code}</a>' if clip in linked else code


def _missing(rows: Sequence[SetRow]) -> str:
    if not rows:
        return ""
    items = "".join(
        f"<li><b>{escape(row['label'])}</b> {escape(row['reason'] or 'no clip had a value')}</li>"
        for row in rows
    )
    return (
        f'<details class="box"><summary>Not measured: {len(rows)}</summary>'
        f"<ul>{items}</ul></details>"
    )
