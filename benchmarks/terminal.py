"""Tables and scores as they are read on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from benchmarks.layout import BEST, SECOND

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.layout import Table
    from benchmarks.results import ClipRow, Scores, SetRow

HEADING = 8  # characters of a heading that stay on one line
LISTED = 10


def print_table(table: Table) -> None:
    """Prints a table and its notes, wider than the terminal if need be."""
    console, shown = Console(), to_rich(table)
    # In a narrow terminal or a pipe rich cuts columns off; a long line loses nothing.
    needed = Measurement.get(console, console.options.update(width=1000), shown).maximum
    console.width = max(console.width, needed)
    console.print(shown)
    for note in [*table.notes, *(f"[{mark}] {text}" for mark, text in table.footnotes)]:
        console.print(note, markup=False, highlight=False, style="dim", soft_wrap=True)


def to_rich(table: Table) -> RichTable:
    """The table for a terminal; its notes are the caller's to print."""
    shown = RichTable(title=table.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    reasons = table.reasons
    texts = [
        [f"{c.text} [{reasons[c.note]}]" if c.note else c.text for c in row.cells]
        for row in table.rows
    ]
    for lead in table.leads:
        shown.add_column(lead, no_wrap=True)
    for index, column in enumerate(table.columns):
        # Fixed widths: rich would cut digits to fit a narrow terminal; long headings are broken.
        heading = (
            column.heading if len(column.heading) <= HEADING else "\n".join(column.heading.split())
        )
        lines = [column.dataset, *heading.split("\n"), *(cells[index] for cells in texts)]
        shown.add_column(
            Text(f"{column.dataset}\n{heading}".lstrip()),
            justify="right",
            width=max(map(len, lines)),
        )
    styles = {BEST: "bold", SECOND: "underline"}
    for (row, begins), shown_texts in zip(table.sections, texts, strict=True):
        if begins:
            shown.add_section()
        leads = list(row.leads)
        leads[-1] += f" [{row.mark}]" if row.mark else ""
        # Text, not markup: a system may be called [anything].
        cells = [
            Text(text, style=styles.get(cell.rank, ""))
            for text, cell in zip(shown_texts, row.cells, strict=True)
        ]
        shown.add_row(*map(Text, leads), *cells)
    return shown


def print_scores(scores: Scores) -> None:
    """The set's numbers with their protocol, then whatever went wrong, by name."""
    console = Console(highlight=False)
    title = Text(f"{scores['method']} on {scores['dataset']}")
    shown = RichTable(title=title, title_justify="left")
    for heading in ("metric", "mean", "95% CI", "clips"):
        shown.add_column(heading, justify="left" if heading == "metric" else "right")
    for row in scores["metrics"].values():
        mean = "n/a" if row["mean"] is None else f"{row['mean']:.4f}"
        interval = "-" if row["ci95"] is None else "{:.4f} to {:.4f}".format(*row["ci95"])
        shown.add_row(row["label"], mean, interval, str(row["n"]))
    console.print(shown)
    numbers = scores["metrics"].values()
    notes = [scores["protocol"]]
    notes += [f"{row['label']}: {row['protocol']}" for row in numbers if row["mean"] is not None]
    for note in notes:
        console.print(note, markup=False, style="dim")
    for line in _not_measured(numbers):
        console.print(f"not measured: {line}", markup=False, soft_wrap=True)
    clips = scores["clips"]
    _print_list(
        console, "failed", [_line(r, r["reason"]) for r in clips if r["status"] == "failed"]
    )
    _print_list(
        console,
        "warnings",
        [_line(row, text) for row in clips for text in row.get("warnings", [])],
    )
    _print_list(console, "real clips without a fake", scores["unmatched"]["real"])
    _print_list(console, "fakes without a real clip", scores["unmatched"]["fake"])


def _not_measured(numbers: Iterable[SetRow]) -> list[str]:
    """Metrics without a number, those of one reason together."""
    labels: dict[str, list[str]] = {}
    for row in numbers:
        if row["mean"] is None:
            labels.setdefault(row["reason"], []).append(row["label"])
    return [f"{', '.join(names)}: {reason}" for reason, names in labels.items()]


def _line(row: ClipRow, text: str) -> str:
    return f"{row['clip_id']}: {text}"


def _print_list(console: Console, title: str, lines: list[str]) -> None:
    if not lines:
        return
    console.print(f"{title} ({len(lines)}):", markup=False)
    for line in lines[:LISTED]:
        console.print(f"  {line}", markup=False, soft_wrap=True)
    if len(lines) > LISTED:
        console.print(f"  … and {len(lines) - LISTED} more, all in the JSON", markup=False)
