"""The paper's tables with a row more for each system measured here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.layout import LAYOUTS, NONE, Cell, Column, Layout, Row, Table
from benchmarks.published import ranks, read_published, same_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.published import Published
    from benchmarks.results import Scores, SetRow


def build_table(name: str, measured: Sequence[Scores]) -> Table:
    """A published table with one row more for each measured system.

    Args:
        name: `v1` or `v2`, a key of `LAYOUTS`.
        measured: contents of scores.json files.
    """
    layout, entries = LAYOUTS[name], read_published(name)
    columns = _columns(layout, entries, measured)
    rows = _published_rows(layout, entries, columns)
    rows += [
        _measured_row(layout, entries, columns, scores, str(number))
        for number, scores in enumerate(measured, start=1)
    ]
    sources = "; ".join(dict.fromkeys(entry.source for entry in entries))
    marks = (
        f"Published rows: {sources}; {NONE}: not reported. The best published value is bold, the "
        "second best underlined; rows measured here are not ranked."
    )
    return Table(
        title=layout.title,
        leads=("Data", "Method") if layout.dataset_rows else ("Method",),
        columns=columns,
        rows=tuple(rows),
        notes=(marks, layout.note),
    )


def _columns(
    layout: Layout, entries: Sequence[Published], measured: Sequence[Scores]
) -> tuple[Column, ...]:
    """The published columns, then those of data sets that no paper has."""
    if layout.dataset_rows:
        return tuple(dict.fromkeys(Column("", e.metric, e.direction) for e in entries))
    columns = list(dict.fromkeys(Column(e.dataset, e.metric, e.direction) for e in entries))
    metrics = dict.fromkeys((column.metric, column.direction) for column in columns)
    for scores in measured:
        if not any(same_name(scores["dataset"], column.dataset) for column in columns):
            columns += [Column(scores["dataset"], *metric) for metric in metrics]
    return tuple(columns)


def _published_rows(
    layout: Layout, entries: Sequence[Published], columns: Sequence[Column]
) -> list[Row]:
    by_key = {(entry.dataset, entry.method, entry.metric): entry for entry in entries}
    ranked = {}
    for dataset, metric in dict.fromkeys((entry.dataset, entry.metric) for entry in entries):
        same = [e for e in entries if (e.dataset, e.metric) == (dataset, metric)]
        ranked[dataset, metric] = ranks(same)
    rows = []
    for own, method in dict.fromkeys(
        (entry.dataset if layout.dataset_rows else "", entry.method) for entry in entries
    ):
        cells = []
        for column in columns:
            dataset = own or column.dataset
            entry = by_key.get((dataset, method, column.metric))
            rank = ranked.get((dataset, column.metric), {}).get(method, 0)
            cells.append(Cell(entry.value or NONE, rank) if entry else Cell(NONE))
        source = next(entry.source for entry in entries if entry.method == method)
        rows.append(Row((own, method) if own else (method,), tuple(cells), source))
    return rows


def _measured_row(
    layout: Layout,
    entries: Sequence[Published],
    columns: Sequence[Column],
    scores: Scores,
    mark: str,
) -> Row:
    """The row of one scores.json, its footnote saying how it was measured and what it lacks."""
    found = {row["label"].casefold(): row for row in scores["metrics"].values()}
    # The paper's spelling, if the data set is one of the paper's.
    names = (entry.dataset for entry in entries)
    dataset = next((n for n in names if same_name(n, scores["dataset"])), scores["dataset"])
    cells: list[Cell] = []
    shown: list[SetRow] = []
    absent: list[str] = []
    for column in columns:
        row = found.get(column.metric.casefold())
        mean = row["mean"] if row else None
        if mean is None or column.dataset not in {"", dataset}:
            cells.append(Cell(NONE))
        else:
            cells.append(Cell(f"{mean:.{_decimals(column.metric, entries)}f}"))
        if column.dataset in {"", dataset}:
            shown += [row] if row else []
            absent += [] if row else [column.metric]
    method = f"{scores['method']} (measured here)"
    return Row(
        leads=(dataset, method) if layout.dataset_rows else (method,),
        cells=tuple(cells),
        source=_footnote(scores, dataset, shown, absent, elsewhere=not layout.dataset_rows),
        mark=mark,
        clips=str(_clips(scores)),
    )


def _clips(scores: Scores) -> int:
    return max((row["n"] for row in scores["metrics"].values()), default=0)


def _decimals(metric: str, entries: Sequence[Published]) -> int:
    """As many decimals as the paper prints."""
    printed = [e.value.partition(".")[2] for e in entries if e.metric == metric]
    return max(map(len, printed))


def _footnote(
    scores: Scores, dataset: str, shown: Sequence[SetRow], absent: Sequence[str], *, elsewhere: bool
) -> str:
    """How a measured row came about, and why it has gaps."""
    failed = [row for row in scores["clips"] if row["status"] == "failed"]
    unmatched = sum(map(len, scores["unmatched"].values()))
    n = _clips(scores)
    sentences = [f"{scores['method']} on {dataset}, n = {n} clips: {scores['protocol']}."]
    sentences += [f"{_with_interval(row)}: {row['protocol']}." for row in shown]
    if failed:
        sentences.append(f"{len(failed)} clips failed, the first for: {failed[0]['reason']}.")
    if unmatched:
        sentences.append(f"{unmatched} clips had no counterpart.")
    gaps = ["no clip could be measured"] if shown and not n else []
    gaps += [f"not in these scores ({', '.join(absent)})"] if absent else []
    gaps += [f"scored on {dataset} only"] if elsewhere else []
    return " ".join([*sentences, f"{NONE}: {'; '.join(gaps)}."] if gaps else sentences)


def _with_interval(row: SetRow) -> str:
    if row["mean"] is None:
        return row["label"]
    interval = row["ci95"]
    spread = f" (95% CI {interval[0]:.3f} to {interval[1]:.3f})" if interval else ""
    return f"{row['label']} {row['mean']:.3f}{spread}"
