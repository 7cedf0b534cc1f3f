"""One table of every metric, for many systems and data sets, the best first."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from benchmarks.metrics.catalogue import METRICS
from benchmarks.scoring.results import Scores
from benchmarks.tables.measured import METRIC_KEYS, Measured, measured_rows, truth_of
from benchmarks.tables.paper_tables import measured_ranks
from benchmarks.tables.published import ENCODED, cost
from benchmarks.tables.table import Column, Table
from pipeline.errors import UserError

_NOTE = (
    "Bold is the best value of a column on a data set, underlined the second best. Small: 95% "
    "bootstrap intervals over clips. →GT: the closer to the real clips (GT) the better."
)


def all_metrics(scores: Sequence[Scores], sort: str = "") -> Table:
    """A row for each system on each data set, a column for each metric that one of them has.

    What papers measure by several protocols (windows of FVD, regions of SSIM) has a column each;
    a column of other differences is not ranked, and a note says so.
    """
    if not scores:
        raise UserError("a table of all metrics needs --scores")
    unsorted = measured_rows(scores, (), dataset_rows=True)
    headings = [
        name
        for key in METRICS
        for name in METRIC_KEYS
        if METRIC_KEYS[name] == key and any(_value(one, name) is not None for one in unsorted)
    ]
    # FVD16 rather than FVD, where both are the same numbers.
    headings = [name for name in headings if name != "FVD" or "FVD16" not in headings]
    columns = tuple(Column("", name, METRICS[METRIC_KEYS[name]].direction) for name in headings)
    if sort and sort not in headings:
        raise UserError(f"no column is called {sort!r}; there are {', '.join(headings)}")
    shared = (n for n in headings if all(_value(one, n) is not None for one in unsorted))
    by = sort or next(shared, "")
    datasets = list(dict.fromkeys(one.datasets[0] for one in unsorted))

    def place(one: Measured) -> tuple[int, bool, float]:
        """Its data set, then real clips and those without the number last, then the cost."""
        value = _value(one, by) if by else None
        last = value is None or one.name == ENCODED
        return datasets.index(one.datasets[0]), last, np.inf if value is None else value

    ordered = enumerate(sorted(unsorted, key=place), start=1)
    measured = [replace(one, mark=str(number)) for number, one in ordered]
    measured = sorted([*measured, *truth_of(measured)], key=lambda m: datasets.index(m.datasets[0]))
    ranked, unranked = measured_ranks(columns, measured)
    return Table(
        title=f"{len(scores)} systems by all metrics" + (f", sorted by {by}" if by else ""),
        leads=("Data", "Method"),
        columns=columns,
        rows=tuple(one.row(columns, (), ranked) for one in measured),
        notes=(_NOTE, *unranked),
    )


def _value(one: Measured, heading: str) -> float | None:
    """What a system is sorted by: the lower the better."""
    row = one.set_row(one.datasets[0], Column("", heading))
    if row is None or row["mean"] is None:
        return None
    if row["direction"] == "closer" and row["real"] is None:
        return np.inf
    return cost(row["mean"], row["direction"], row["real"])
