"""The numbers that papers have published, from manifests/published.csv, and who is best in them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

# `manifests` holds no code, so it is a namespace package, and importlib.resources of Python 3.11
# raises on one installed with `pip install -e`. In a checkout and in a wheel alike it lies here:
PUBLISHED_CSV = Path(__file__).parents[1] / "manifests" / "published.csv"

GROUND_TRUTH = "GT"
_ALIASES = {"crema-d": "crema", "cremad": "crema", "crema_d": "crema"}


@dataclass(frozen=True)
class Published:
    """One published number.

    Attributes:
        table: `v1` (first version), `v2` (published version), `ablation`, or another paper's name.
        dataset: LRW or CREMA.
        method: the system, or `GT` for the real clips.
        metric: the column's heading.
        value: the digits as printed, or empty where the paper has a dash.
        direction: `higher`, `lower`, or `closest` to the ground truth is best.
        source: where it is printed.
    """

    table: str
    dataset: str
    method: str
    metric: str
    value: str
    direction: str
    source: str


def read_published(table: str, path: Path = PUBLISHED_CSV) -> tuple[Published, ...]:
    """The rows of one published table, in the paper's order."""
    with path.open(newline="", encoding="utf-8") as file:
        return tuple(Published(**row) for row in csv.DictReader(file) if row["table"] == table)


def same_name(one: str, other: str) -> bool:
    """Whether two names mean the same data set or metric: case aside, CREMA-D is CREMA."""
    first, second = one.casefold(), other.casefold()
    return _ALIASES.get(first, first) == _ALIASES.get(second, second)


def ranks(column: Sequence[Published]) -> dict[str, int]:
    """The methods that are best (1) and second best (2) in a column; equal values share a rank.

    Args:
        column: the published numbers of one metric on one data set, ground truth included.

    Raises:
        ValueError: the closest to the ground truth is best, and there is no ground truth.
    """
    truth = next((float(p.value) for p in column if p.method == GROUND_TRUTH and p.value), None)
    costs: dict[str, float] = {}
    for entry in column:
        if entry.method == GROUND_TRUTH or not entry.value:
            continue
        value = float(entry.value)
        if entry.direction == "closest":
            if truth is None:
                raise ValueError(f"no ground truth for {entry.metric} on {entry.dataset}")
            # Rounded: 0.28 - 0.26 and 0.26 - 0.24 are the same distance.
            costs[entry.method] = round(abs(value - truth), 9)
        else:
            costs[entry.method] = -value if entry.direction == "higher" else value
    order = sorted(set(costs.values()))[:2]
    return {method: order.index(cost) + 1 for method, cost in costs.items() if cost in order}
