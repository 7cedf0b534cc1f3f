"""Tables as Markdown, CSV, LaTeX, HTML or JSON, by the suffix of the file they go to."""

from __future__ import annotations

import csv
import html
import io
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

from benchmarks.tables.html import to_html
from benchmarks.tables.latex import to_latex
from benchmarks.tables.layout import BEST, NONE, SECOND
from pipeline.errors import UserError
from pipeline.files import json_bytes, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from benchmarks.tables.layout import Cell, Table

T = TypeVar("T")

# GitHub drops <u> and keeps <ins>.
_MARKDOWN = {BEST: "**{}**", SECOND: "<ins>{}</ins>"}


def to_markdown(table: Table) -> str:
    """GitHub's Markdown, its columns lined up in the source too."""
    reasons = table.reasons
    lines = [[*table.leads, *(column.title for column in table.columns)]]
    for row in table.rows:
        leads = [html.escape(lead, quote=False).replace("|", "\\|") for lead in row.leads]
        leads[-1] += f" <sup>{row.mark}</sup>" if row.mark else ""
        lines.append([*leads, *(_markdown_cell(cell, reasons) for cell in row.cells)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = ["<"] * len(table.leads) + [">"] * len(table.columns)
    padded = [
        [f"{text:{side}{width}}" for text, side, width in zip(line, sides, widths, strict=True)]
        for line in lines
    ]
    ends = ["-" if side == "<" else ":" for side in sides]
    padded.insert(1, ["-" * (width - 1) + end for width, end in zip(widths, ends, strict=True)])
    body = "\n".join(f"| {' | '.join(line)} |" for line in padded)
    notes = [html.escape(note, quote=False) for note in table.notes]
    notes += [
        f"<sup>{mark}</sup> {html.escape(text, quote=False)}" for mark, text in table.footnotes
    ]
    return "\n\n".join([f"### {table.title}", body, *notes]) + "\n"


def _markdown_cell(cell: Cell, reasons: Mapping[str, str]) -> str:
    if cell.note:
        return f"{cell.text} <sup>{reasons[cell.note]}</sup>"
    spread = f" <sub>{cell.ci95[0]}…{cell.ci95[1]}</sub>" if cell.ci95 else ""
    return _MARKDOWN.get(cell.rank, "{}").format(cell.text) + spread


def to_csv(table: Table) -> str:
    """Plain numbers, a row a system; what footnotes say elsewhere is in the last columns."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [f"{column.dataset} {column.metric}".lstrip() for column in table.columns]
    bounds = [f"{name} 95% {end}" for name in names for end in ("low", "high")]
    counts = [f"{name} n" for name in names]
    extra = bounds + counts if table.measured else []
    leads = [lead.lower() for lead in table.leads]
    writer.writerow([*leads, *names, "origin", "clips", *extra, "missing", "source"])
    for row in table.rows:
        missing = "; ".join(
            f"{name}: {cell.note}" for name, cell in zip(names, row.cells, strict=True) if cell.note
        )
        intervals = [bound for cell in row.cells for bound in cell.ci95 or ("", "")]
        clips = ["" if cell.n is None else str(cell.n) for cell in row.cells]
        writer.writerow(
            [
                *row.leads,
                *(cell.text for cell in row.cells),
                "measured" if row.mark else "published",
                row.clips,
                *(intervals + clips if extra else []),
                missing,
                row.source,
            ]
        )
    return buffer.getvalue()


def to_json(table: Table) -> str:
    """All that the table knows: a row a system, in it a cell a column with all of its fields."""
    rows = [
        {
            **dict(zip((lead.lower() for lead in table.leads), row.leads, strict=True)),
            "origin": "measured" if row.mark else "published",
            "source": row.source,
            "cells": [
                {**asdict(column), **asdict(cell), "text": "" if cell.text == NONE else cell.text}
                for column, cell in zip(table.columns, row.cells, strict=True)
            ],
        }
        for row in table.rows
    ]
    return json_bytes({"title": table.title, "notes": table.notes, "rows": rows}).decode()


RENDERERS: dict[str, Callable[[Table], str]] = {
    ".md": to_markdown,
    ".csv": to_csv,
    ".tex": to_latex,
    ".html": to_html,
    ".json": to_json,
}


def write_table(path: Path, table: Table) -> None:
    """Writes a table in the format that the file's suffix names, atomically.

    Raises:
        UserError: the suffix names no format.
    """
    write_text(path, renderer(path)(table))


def renderer(path: Path) -> Callable[[Table], str]:
    """The format that a file's suffix names.

    Raises:
        UserError: it names none.
    """
    return by_suffix(path, RENDERERS)


def by_suffix(path: Path, formats: Mapping[str, T]) -> T:
    """The one of several formats that a file's suffix names.

    Raises:
        UserError: it names none.
    """
    if path.suffix.lower() not in formats:
        raise UserError(f"cannot write {path}: use a name that ends in {', '.join(formats)}")
    return formats[path.suffix.lower()]
