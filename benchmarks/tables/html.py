"""A table as one HTML page, light and dark, for a screen or a phone."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from benchmarks.tables.layout import BEST, NONE, SECOND

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.tables.layout import Cell, Row, Table

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --text: #1c1e21; --soft: #62676e; --line: #d8dbe0;
  --card: #fff; --ours: #eef4ff; }}
@media (prefers-color-scheme: dark) {{ :root {{ --text: #e6e8eb; --soft: #9ba1a9; --line: #3a3f46;
  --card: #16181c; --ours: #1d2838; }} }}
body {{ margin: 2rem auto; padding: 0 1rem; max-width: 72rem; color: var(--text);
  background: var(--card); font: 16px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.25rem; }}
{style}
</style>
</head>
<body>
<h1>{title}</h1>
{table}
</body>
</html>
"""

# Of the table alone; the page gives --text, --soft, --line, --card and --ours.
TABLE_STYLE = """
.wide { overflow-x: auto; }
.results { border-collapse: collapse; border-block: 2px solid var(--text); white-space: nowrap;
  font-variant-numeric: tabular-nums; font-size: .9375rem; width: auto; }
.results th, .results td { padding: .35rem .8rem; text-align: right; font-weight: normal;
  vertical-align: top; border: 0; color: inherit; font-size: inherit; }
.results thead th { color: var(--soft); white-space: normal; vertical-align: bottom; }
.results thead tr:last-child th { border-bottom: 1px solid var(--text); }
.results th.span { text-align: center; border-bottom: 1px solid var(--line); color: var(--text); }
.results th.lead { text-align: left; background: var(--card); }
@media (max-width: 40rem) { .results th, .results td { padding-inline: .6rem; }
  .results th.lead { white-space: normal; min-width: 4rem; } }
.results th.lead:not(:has(+ th.lead)) { position: sticky; left: 0; }
.results tr.begins > * { border-top: 1px solid var(--line); }
.results tr.ours > * { background: var(--ours); }
.results sup { line-height: 0; }
.results td small { display: block; color: var(--soft); font-size: .6875rem; line-height: 1.2; }
.results u { text-underline-offset: .2em; }
.notes { color: var(--soft); font-size: .8125rem; max-width: 60rem; overflow-wrap: anywhere; }
.notes p { margin: .5rem 0; max-width: none; }
"""


def to_html(table: Table) -> str:
    """One page that needs no other file and scrolls sideways on a phone, system names in view."""
    return _PAGE.format(
        title=html.escape(table.title), style=TABLE_STYLE, table=table_and_notes(table)
    )


def table_and_notes(table: Table) -> str:
    """The table as HTML, its notes below it; `TABLE_STYLE` dresses them."""
    notes = [html.escape(note) for note in table.notes]
    notes += [f"<sup>{mark}</sup> {html.escape(text)}" for mark, text in table.footnotes]
    paragraphs = "\n".join(f"<p>{note}</p>" for note in notes)
    return f'<div class="wide">\n{html_table(table)}\n</div>\n<div class="notes">{paragraphs}</div>'


def html_table(table: Table) -> str:
    """The table alone, as HTML."""
    leads = "".join(f'<th class="lead" scope="col">{lead}</th>' for lead in table.leads)
    spans = "".join(
        f'<th class="span" scope="colgroup" colspan="{span}">{html.escape(dataset)}</th>'
        for dataset, span in table.spans.items()
    )
    heads = "".join(f'<th scope="col">{html.escape(c.heading)}</th>' for c in table.columns)
    head = f"<tr>{leads}{heads}</tr>"
    if spans:
        blanks = '<th class="lead"></th>' * len(table.leads)
        head = f"<tr>{blanks}{spans}</tr>\n{head}"
    reasons = table.reasons
    body = "\n".join(_row(row, reasons, begins=begins) for row, begins in table.sections)
    return (
        f'<table class="results">\n<thead>\n{head}\n</thead>\n<tbody>\n{body}\n</tbody>\n</table>'
    )


def _row(row: Row, reasons: Mapping[str, str], *, begins: bool) -> str:
    leads = [html.escape(lead) for lead in row.leads]
    leads[-1] += f" <sup>{row.mark}</sup>" if row.mark else ""
    cells = "".join(f'<th class="lead" scope="row">{lead}</th>' for lead in leads)
    cells += "".join(_cell(cell, reasons) for cell in row.cells)
    names = " ".join(["begins"] * begins + ["ours"] * bool(row.mark))
    return f'<tr class="{names}">{cells}</tr>' if names else f"<tr>{cells}</tr>"


def _cell(cell: Cell, reasons: Mapping[str, str]) -> str:
    if cell.note:
        letter = reasons[cell.note]
        return f'<td title="{html.escape(cell.note)}">{cell.text} <sup>{letter}</sup></td>'
    text = cell.text if cell.text == NONE else cell.text.replace("-", "−")
    shown = {BEST: f"<b>{text}</b>", SECOND: f"<u>{text}</u>"}.get(cell.rank, text)
    if cell.ci95:
        low, high = (bound.replace("-", "−") for bound in cell.ci95)
        shown += f"<small>{low} to {high}</small>"
    return f"<td>{shown}</td>"
