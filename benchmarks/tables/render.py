"""A table in all its forms: Markdown, CSV, LaTeX, HTML, JSON, and on the terminal."""

import csv
import html
import io
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from benchmarks.tables.latex import to_latex
from benchmarks.tables.table import BEST, NONE, SECOND, Table
from pipeline.errors import UserError
from pipeline.files import json_bytes, write_text
from pipeline.templates import environment

T = TypeVar("T")

_TERMINAL = {BEST: "bold", SECOND: "underline", "good": "green", "bad": "red", "soft": "dim"}
_HEADING = 9  # characters of a heading that stay on one line


def to_html(table: Table) -> str:
    """One page that needs no other file and scrolls sideways on a phone, system names in view."""
    return environment("benchmarks").get_template("table.html.j2").render(table=table)


def to_markdown(table: Table) -> str:
    """GitHub's Markdown."""
    template = environment("benchmarks").get_template("table.md.j2")
    return template.render(table=table, plain=_markdown)


def _markdown(text: str) -> str:
    return html.escape(text, quote=False).replace("|", "\\|")


def to_csv(table: Table) -> str:
    """Plain numbers, a row a system; reasons and sources are in the last columns."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [f"{column.dataset} {column.metric}".lstrip() for column in table.columns]
    bounds = [f"{name} 95% {end}" for name in names for end in ("low", "high")]
    extra = bounds + [f"{name} n" for name in names] if table.measured else []
    leads = [lead.lower() for lead in table.leads]
    writer.writerow([*leads, *names, "origin", "clips", *extra, "missing", "source"])
    for row in table.rows:
        texts = [cell.text for cell in row.cells]
        origin = "measured" if row.mark else "published"
        intervals = [bound for cell in row.cells for bound in cell.ci95 or ("", "")]
        counts = ["" if cell.n is None else str(cell.n) for cell in row.cells]
        numbers = intervals + counts if extra else []
        gaps = zip(names, row.cells, strict=True)
        missing = "; ".join(f"{name}: {cell.note}" for name, cell in gaps if cell.note)
        writer.writerow([*row.leads, *texts, origin, row.clips, *numbers, missing, row.source])
    return buffer.getvalue()


def to_json(table: Table) -> str:
    """All that the table holds: a row a system, in it a cell a column with its fields."""
    rows = []
    for row in table.rows:
        cells = [
            {**asdict(column), **asdict(cell), "text": "" if cell.text == NONE else cell.text}
            for column, cell in zip(table.columns, row.cells, strict=True)
        ]
        for cell in cells:
            del cell["tone"]
        names = dict(zip((lead.lower() for lead in table.leads), row.leads, strict=True))
        origin = "measured" if row.mark else "published"
        rows.append({**names, "origin": origin, "source": row.source, "cells": cells})
    return json_bytes({"title": table.title, "notes": table.notes, "rows": rows}).decode()


def to_terminal(table: Table) -> RichTable:
    """The table for a terminal, without title and notes."""
    shown, reasons = RichTable(box=SIMPLE_HEAD, pad_edge=False), table.reasons
    for lead in table.leads:
        shown.add_column(lead, no_wrap=True)
    for column in table.columns:
        short = len(column.heading) <= _HEADING
        heading = column.heading if short else "\n".join(column.heading.split())
        # Text, not markup: a system or a data set may be called [anything].
        title = Text(f"{column.dataset}\n{heading}".lstrip())
        shown.add_column(title, justify="right", no_wrap=True)
    for row, begins in table.sections:
        if begins:
            shown.add_section()
        leads = [*row.leads[:-1], row.leads[-1] + (f" [{row.mark}]" if row.mark else "")]
        cells = [
            Text(
                f"{cell.text} [{reasons[cell.note]}]" if cell.note else cell.text,
                style=_TERMINAL.get(cell.tone or cell.rank, ""),
            )
            for cell in row.cells
        ]
        shown.add_row(*map(Text, leads), *cells)
    return shown


def print_table(table: Table) -> None:
    """Prints a table and its notes, wider than the terminal if need be."""
    console, shown = Console(), to_terminal(table)
    console.print(table.title, markup=False, highlight=False, style="italic", soft_wrap=True)
    # In a narrow terminal or a pipe rich cuts columns off; a long line loses nothing.
    needed = Measurement.get(console, console.options.update(width=1000), shown).maximum
    console.width = max(console.width, needed)
    console.print(shown)
    for note in [*table.notes, *(f"[{mark}] {text}" for mark, text in table.footnotes)]:
        console.print(note, markup=False, highlight=False, style="dim", soft_wrap=True)


RENDERERS: dict[str, Callable[[Table], str]] = {
    ".md": to_markdown,
    ".csv": to_csv,
    ".tex": to_latex,
    ".html": to_html,
    ".json": to_json,
}


def write_each(paths: list[Path], writers: Mapping[str, Callable[[T], str]], content: T) -> None:
    """Writes each file in the format that its suffix names, atomically, and prints its name."""
    for path in paths:
        if path.suffix.lower() not in writers:
            raise UserError(f"cannot write {path}: use a name that ends in {', '.join(writers)}")
    for path in paths:
        write_text(path, writers[path.suffix.lower()](content))
        print(f"wrote {path}")
