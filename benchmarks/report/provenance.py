"""Where the report's numbers come from: what was left out, protocol, versions, weights."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from benchmarks.scoring.results import Scores

_LISTED = 50


def left_out_section(scores: Sequence[Scores]) -> str:
    """Clips that failed, by name and reason, and videos without a counterpart."""
    items = []
    for one in scores:
        who = escape(one["method"])
        items += [
            f"<li>{who}: <code>{escape(row['clip_id'])}</code> failed: {escape(row['reason'])}</li>"
            for row in one["clips"]
            if row["status"] == "failed"
        ]
        for side, other in (("real", "fake"), ("fake", "real")):
            items += [
                f"<li>{who}: {side} <code>{escape(clip)}</code> has no {other} counterpart</li>"
                for clip in one["unmatched"][side]
            ]
    if not items:
        return "<h2>Left out</h2><p>Nothing: every clip has its numbers.</p>"
    more = f"<li>… and {len(items) - _LISTED} more</li>" if len(items) > _LISTED else ""
    return (
        f'<h2>Left out</h2><details class="box" open><summary>{len(items)} videos without numbers'
        f"</summary><ul>{''.join(items[:_LISTED])}{more}</ul></details>"
    )


def provenance_section(scores: Sequence[Scores]) -> str:
    """How each of the scores was made, so that it can be made again."""
    parts = "".join(_provenance(one) for one in scores)
    return f'<h2 id="provenance">Protocol, versions, weights</h2>{parts}'


def _provenance(one: Scores) -> str:
    protocols = {row["label"]: row["protocol"] for row in one["metrics"].values()}
    facts = {
        "real clips": one["real"],
        "generated": one["fake"],
        "split": one["split"] or "all",
        "pairing": one["protocol"],
    }
    name = escape(f"{one['method']} on {one['dataset']}")
    return (
        f'<details class="box"><summary>{name}</summary>'
        f"{_list('Data', facts)}{_list('Metrics', protocols)}"
        f"{_list('Options', one['options'])}{_list('Versions', one['software'])}"
        f"{_list('Weights (SHA-256)', one.get('weights', {}))}</details>"
    )


def _list(title: str, facts: Mapping[str, object]) -> str:
    items = "".join(
        f"<div><dt>{escape(str(name))}</dt><dd><code>{escape(str(value))}</code></dd></div>"
        for name, value in facts.items()
    )
    return f'<h3>{title}</h3><dl class="facts">{items or "<div><dd>none</dd></div>"}</dl>'
