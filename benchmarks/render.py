"""Tables as Markdown, CSV, LaTeX or HTML, by the suffix of the file they go to."""

from __future__ import annotations

import csv
import html
import io
from typing import TYPE_CHECKING

from benchmarks.layout import BEST, NONE, SECOND
from benchmarks.page import to_html
from pipeline.errors import UserError
from pipeline.files import write_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.layout import Cell, Table


def to_markdown(table: Table) -> str:
    """GitHub's Markdown, its columns lined up in the source too."""
    styles = {BEST: "**{}**", SECOND: "<ins>{}</ins>"}  # GitHub drops <u> and keeps <ins>
    lines = [[*table.leads, *(column.title for column in table.columns)]]
    for row in table.rows:
        leads = [html.escape(lead, quote=False).replace("|", "\\|") for lead in row.leads]
        leads[-1] += f" <sup>{row.mark}</sup>" if row.mark else ""
        lines.append([*leads, *(styles.get(c.rank, "{}").format(c.text) for c in row.cells)])
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
    notes += [f"<sup>{r.mark}</sup> {html.escape(r.source, quote=False)}" for r in table.measured]
    return "\n\n".join([f"### {table.title}", body, *notes]) + "\n"


def to_csv(table: Table) -> str:
    """Plain numbers, a row a system; what footnotes say elsewhere is the last column."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    names = [f"{column.dataset} {column.metric}".lstrip() for column in table.columns]
    writer.writerow([*(lead.lower() for lead in table.leads), *names, "origin", "clips", "source"])
    for row in table.rows:
        origin = "measured" if row.mark else "published"
        writer.writerow([*row.leads, *(c.text for c in row.cells), origin, row.clips, row.source])
    return buffer.getvalue()


_TEX: dict[str, str | int | None] = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\to$", "<": r"$<$", ">": r"$>$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}  # fmt: skip


def _tex(text: str) -> str:
    return text.translate(str.maketrans(_TEX))


def _tex_cell(cell: Cell) -> str:
    negative = cell.text.startswith("-") and cell.text != NONE
    number = f"$-${cell.text[1:]}" if negative else cell.text
    return {BEST: rf"\textbf{{{number}}}", SECOND: rf"\underline{{{number}}}"}.get(
        cell.rank, number
    )


def to_latex(table: Table) -> str:
    """A LaTeX table environment for the package booktabs."""
    first = len(table.leads)
    over, rules, at = [""] * first, "", first + 1
    for dataset, span in table.spans.items():
        over.append(rf"\multicolumn{{{span}}}{{c}}{{{_tex(dataset)}}}")
        rules += rf"\cmidrule(lr){{{at}-{at + span - 1}}}"
        at += span
    lines = [rf"{' & '.join(over)} \\", rules] if rules else []
    heading = [*table.leads, *(column.heading for column in table.columns)]
    lines += [rf"{' & '.join(map(_tex, heading))} \\", r"\midrule"]
    for row, begins in table.sections:
        leads = [_tex(lead) for lead in row.leads]
        leads[-1] += rf"\textsuperscript{{{row.mark}}}" if row.mark else ""
        lines += [r"\midrule"] if begins else []
        lines.append(rf"{' & '.join([*leads, *map(_tex_cell, row.cells)])} \\")
    notes = [_tex(note) for note in table.notes]
    notes += [rf"\textsuperscript{{{row.mark}}} {_tex(row.source)}" for row in table.measured]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{_tex(table.title)}}}",
            rf"\begin{{tabular}}{{{'l' * first}{'r' * len(table.columns)}}}",
            r"\toprule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            "",
            r"\par\smallskip\footnotesize\raggedright",
            "\n\n".join(notes),
            r"\end{table}",
            "",
        ]
    )


RENDERERS: dict[str, Callable[[Table], str]] = {
    ".md": to_markdown,
    ".csv": to_csv,
    ".tex": to_latex,
    ".html": to_html,
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
    if path.suffix.lower() not in RENDERERS:
        raise UserError(f"cannot write {path}: use a name that ends in {', '.join(RENDERERS)}")
    return RENDERERS[path.suffix.lower()]
