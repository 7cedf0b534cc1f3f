"""The numbers that papers have published, from manifests/published.csv, and who is best in them."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# `manifests` holds no code, so it is a namespace package, and importlib.resources of Python 3.11
# raises on one installed with `pip install -e`. In a checkout and in a wheel alike it lies here:
PUBLISHED_CSV = Path(__file__).parents[2] / "manifests" / "published.csv"

GROUND_TRUTH = "GT"
# Scores of real clips written and read again: what the container costs any system. Not ranked.
ENCODED = "GT, encoded"


@dataclass(frozen=True)
class Published:
    """One published number."""

    # `v1` (first version), `v2` (published version), `ablation`, or another paper's name.
    table: str
    dataset: str  # LRW or CREMA
    method: str  # the system, or `GT` for the real clips
    metric: str  # the column's heading
    value: str  # the digits as printed, or empty where the paper has a dash or nothing
    direction: str  # `higher`, `lower`, or `closer` to the ground truth is better
    source: str  # where it is printed
    note: str = ""  # why `value` is empty; else empty


def read_published(table: str) -> tuple[Published, ...]:
    """The rows of one published table, in the paper's order."""
    with PUBLISHED_CSV.open(newline="", encoding="utf-8") as file:
        return tuple(Published(**row) for row in csv.DictReader(file) if row["table"] == table)


def cost(value: float, direction: str, truth: float | None) -> float:
    """How bad a number is; of `closer` its distance to the truth, which must be known."""
    if direction != "closer":
        return -value if direction == "higher" else value
    if truth is None:
        raise ValueError("no ground truth to be close to")
    return abs(value - truth)


def ranks(
    values: Mapping[str, float], direction: str, truths: Mapping[str, float | None]
) -> dict[str, int]:
    """The systems that are best (1) and second best (2); equal values share a rank."""
    # Rounded: 0.28 - 0.26 and 0.26 - 0.24 are the same distance.
    costs = {n: round(cost(value, direction, truths.get(n)), 9) for n, value in values.items()}
    order = sorted(set(costs.values()))[:2]
    return {name: order.index(own) + 1 for name, own in costs.items() if own in order}
