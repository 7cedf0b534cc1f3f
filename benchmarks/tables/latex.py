"""A table as LaTeX that fits a page of the usual two-column classes.

The float holds the numbers alone. Notes follow it as text that breaks over columns and pages: with
them it would be taller than a page.
"""

from collections.abc import Mapping

from benchmarks.tables.table import BEST, MEASURED, NONE, SECOND, Cell, Table

_SPECIAL: dict[str, str] = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "|": r"\textbar{}", '"': "''", "<": r"$<$", ">": r"$>$",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$", "→": r"$\to$", "≥": r"$\geq$", "≤": r"$\leq$",
    "×": r"$\times$", "…": r"\ldots{}", "−": "$-$", "–": "--", "—": "---", "±": r"$\pm$",
    "²": r"\textsuperscript{2}", "³": r"\textsuperscript{3}", "°": r"$^\circ$",
    **dict(zip("‘’“”", ("`", "'", "``", "''"), strict=True)),
    **{character: f"\\{character}" for character in "&%$#_{}"},
}  # fmt: skip
# What neither pdfLaTeX nor Computer Modern has: its code point there, the character elsewhere.
_ANY_CHARACTER = r"""% characters that pdfLaTeX lacks: use XeLaTeX or LuaLaTeX and a font with them
\providecommand{\anychar}[2]{\ifdefined\Umathchar #1\else #2\fi}
"""


def to_latex(table: Table) -> str:
    r"""A `table*` with its notes below; it needs the packages booktabs and graphicx.

    Set in \footnotesize, which takes the paper's tables with measured rows to the width of a page
    of IEEE, CVPR and ACM papers; a wider one is scaled down.
    """
    first = len(table.leads)
    # The data sets above their columns, with a rule below each.
    over, rules, at = [""] * first, "", first + 1
    for dataset, span in table.spans.items():
        over.append(rf"\multicolumn{{{span}}}{{c}}{{{tex(dataset)}}}")
        rules += rf"\cmidrule(lr){{{at}-{at + span - 1}}}"
        at += span
    lines = [rf"{' & '.join(over)} \\", rules] if rules else []
    heading = [*table.leads, *(column.heading for column in table.columns)]
    lines += [rf"{' & '.join(map(_heading, heading))} \\", r"\midrule"]
    for row, begins in table.sections:
        leads = [tex(lead) for lead in row.leads]
        if row.mark:
            name = tex(row.leads[-1].removesuffix(MEASURED))
            leads[-1] = rf"{name}\textsuperscript{{{row.mark}}}"
        cells = [_cell(cell, table.reasons) for cell in row.cells]
        lines += [r"\midrule"] if begins else []
        lines.append(rf"{' & '.join(leads + cells)} \\")
        if any(cell.ci95 for cell in row.cells):
            # The intervals on a line of their own, close below: columns stay narrow.
            small = [
                rf"{{\tiny [{', '.join(map(_number, cell.ci95))}]}}" if cell.ci95 else ""
                for cell in row.cells
            ]
            lines[-1] += "[-3pt]"
            lines.append(rf"{' & '.join([''] * first + small)} \\")
    notes = [tex(note) for note in table.notes]
    notes += [r"Rows with a number behind their name are measured here."] if table.measured else []
    notes += [rf"\textsuperscript{{{mark}}} {tex(text)}" for mark, text in table.footnotes]
    text = "\n".join(
        [
            r"\begin{table*}",
            r"\centering\footnotesize\setlength{\tabcolsep}{3pt}",
            rf"\caption{{{tex(table.title)}}}",
            r"\resizebox{\ifdim\width>\textwidth \textwidth\else \width\fi}{!}{%",
            rf"\begin{{tabular}}{{{'l' * first}{'r' * len(table.columns)}}}",
            r"\toprule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}}",
            r"\end{table*}",
            r"{\footnotesize\noindent " + "\\par\\noindent\n".join(notes) + r"\par}",
            "",
        ]
    )
    head = "% needs \\usepackage{booktabs,graphicx}\n"
    return head + (_ANY_CHARACTER if r"\anychar" in text else "") + text


def tex(text: str) -> str:
    """Text as LaTeX prints it, whatever characters are in it; line breaks become spaces."""
    return "".join(map(_character, " ".join(text.split())))


def _character(c: str) -> str:
    # Latin letters with accents are known to LaTeX.
    if c.isascii() or "\N{INVERTED EXCLAMATION MARK}" <= c <= "\N{LATIN SMALL LETTER Z WITH CARON}":
        return _SPECIAL.get(c, c)
    return _SPECIAL.get(c, rf"\anychar{{{c}}}{{U+{ord(c):04X}}}")


def _heading(text: str) -> str:
    """A heading in two lines of about the same length, where it has words to break at."""
    words = text.split()
    breaks = [(" ".join(words[:k]), " ".join(words[k:])) for k in range(1, len(words))]
    if not breaks:
        return tex(text)
    upper, lower = min(breaks, key=lambda lines: max(map(len, lines)))
    return rf"\shortstack{{{tex(upper)}\\{tex(lower)}}}"


def _number(text: str) -> str:
    return f"$-${text[1:]}" if text.startswith("-") and text != NONE else text


def _cell(cell: Cell, reasons: Mapping[str, str]) -> str:
    if cell.note:
        return rf"{cell.text}\textsuperscript{{{reasons[cell.note]}}}"
    number = _number(cell.text)
    styles = {BEST: rf"\textbf{{{number}}}", SECOND: rf"\underline{{{number}}}"}
    return styles.get(cell.rank, number)
