"""A table as LaTeX, for the package booktabs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.tables.layout import BEST, NONE, SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.tables.layout import Cell, Table

_TEX: dict[str, str | int | None] = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\to$", "<": r"$<$", ">": r"$>$",
    "≥": r"$\geq$", "≤": r"$\leq$", "×": r"$\times$", "σ": r"$\sigma$", "…": r"\ldots{}",
    "−": "$-$", "–": "--", "²": r"\textsuperscript{2}", "±": r"$\pm$", "°": r"$^\circ$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}  # fmt: skip


def to_latex(table: Table) -> str:
    """A LaTeX table environment; it needs the package booktabs."""
    first, reasons = len(table.leads), table.reasons
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
        lines.append(rf"{' & '.join([*leads, *(_cell(cell, reasons) for cell in row.cells)])} \\")
        if any(cell.ci95 for cell in row.cells):
            # The intervals on a line of their own, close below: wide tables stay on the page.
            lines[-1] += "[-3pt]"
            small = [_interval(cell) for cell in row.cells]
            lines.append(rf"{' & '.join([''] * first + small)} \\")
    notes = [_tex(note) for note in table.notes]
    notes += [rf"\textsuperscript{{{mark}}} {_tex(text)}" for mark, text in table.footnotes]
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


def _tex(text: str) -> str:
    return text.translate(str.maketrans(_TEX))


def _number(text: str) -> str:
    return f"$-${text[1:]}" if text.startswith("-") and text != NONE else text


def _cell(cell: Cell, reasons: Mapping[str, str]) -> str:
    if cell.note:
        return rf"{cell.text}\textsuperscript{{{reasons[cell.note]}}}"
    number = _number(cell.text)
    styles = {BEST: rf"\textbf{{{number}}}", SECOND: rf"\underline{{{number}}}"}
    return styles.get(cell.rank, number)


def _interval(cell: Cell) -> str:
    if cell.ci95 is None:
        return ""
    low, high = map(_number, cell.ci95)
    return rf"{{\tiny {low} to {high}}}"
