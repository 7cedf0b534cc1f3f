"""Tables and scores as they are read on a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from benchmarks.tables.layout import ARROWS, BEST, SECOND

if TYPE_CHECKING:
    from benchmarks.scoring.results import ClipRow, Scores
    from benchmarks.tables.layout import Table

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
    """The set's numbers with their protocol, why others are absent, what went wrong, by name."""
    console = Console(highlight=False)
    title = Text(f"{scores['method']} on {scores['dataset']}")
    shown = RichTable(title=title, title_justify="left")
    for heading in ("metric", "mean", "95% CI", "real clips", "clips"):
        shown.add_column(heading, justify="left" if heading == "metric" else "right")
    measured = [row for row in scores["metrics"].values() if row["mean"] is not None]
    for row in measured:
        interval = "-" if row["ci95"] is None else "{:.4f} to {:.4f}".format(*row["ci95"])
        real = "" if row["real"] is None else f"{row['real']:.4f}"
        label = f"{row['label']} {ARROWS[row['direction']]}"
        shown.add_row(label, f"{row['mean']:.4f}", interval, real, str(row["n"]))
    console.print(shown)
    notes = [scores["protocol"], *(f"{row['label']}: {row['protocol']}" for row in measured)]
    for note in notes:
        console.print(note, markup=False, style="dim")
    absent: dict[str, list[str]] = {}
    for row in scores["metrics"].values():
        if row["mean"] is None:
            absent.setdefault(row["reason"], []).append(row["label"])
    told = [f"{', '.join(labels)}: {reason}" for reason, labels in absent.items()]
    _print_list(console, "not measured", told)
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
