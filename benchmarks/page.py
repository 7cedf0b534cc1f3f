"""A table as one HTML page, light and dark, for a screen or a phone."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from benchmarks.layout import BEST, NONE, SECOND

if TYPE_CHECKING:
    from benchmarks.layout import Row, Table

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; --ink: #1c1e21; --soft: #62676e; --line: #d8dbe0;
  --paper: #fff; --ours: #eef4ff; }}
@media (prefers-color-scheme: dark) {{ :root {{ --ink: #e6e8eb; --soft: #9ba1a9; --line: #3a3f46;
  --paper: #16181c; --ours: #1d2838; }} }}
body {{ margin: 2rem auto; padding: 0 1rem; max-width: 64rem; color: var(--ink);
  background: var(--paper); font: 16px/1.5 system-ui, sans-serif; }}
h1 {{ font-size: 1.25rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; border-block: 2px solid var(--ink); white-space: nowrap;
  font-variant-numeric: tabular-nums; }}
th, td {{ padding: .35rem .9rem; text-align: right; font-weight: normal; }}
thead th {{ color: var(--soft); white-space: normal; vertical-align: bottom; }}
thead tr:last-child th {{ border-bottom: 1px solid var(--ink); }}
th.span {{ text-align: center; border-bottom: 1px solid var(--line); color: var(--ink); }}
th.lead {{ text-align: left; background: var(--paper); }}
@media (max-width: 40rem) {{ th, td {{ padding-inline: .6rem; }}
  th.lead {{ white-space: normal; min-width: 4rem; }} }}
th.lead:not(:has(+ th.lead)) {{ position: sticky; left: 0; }}
tr.begins > * {{ border-top: 1px solid var(--line); }}
tr.ours > * {{ background: var(--ours); }}
u {{ text-underline-offset: .2em; }}
.notes {{ color: var(--soft); font-size: .875rem; max-width: 48rem; overflow-wrap: anywhere; }}
</style>
</head>
<body>
<h1>{title}</h1>
<div class="wide">
<table>
<thead>
{head}
</thead>
<tbody>
{body}
</tbody>
</table>
</div>
<div class="notes">
{notes}
</div>
</body>
</html>
"""


def to_html(table: Table) -> str:
    """One page that needs no other file and scrolls sideways on a phone, system names in view."""
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
    body = "\n".join(_html_row(row, begins=begins) for row, begins in table.sections)
    notes = [html.escape(note) for note in table.notes]
    notes += [f"<sup>{row.mark}</sup> {html.escape(row.source)}" for row in table.measured]
    return _PAGE.format(
        title=html.escape(table.title),
        head=head,
        body=body,
        notes="\n".join(f"<p>{note}</p>" for note in notes),
    )


def _html_row(row: Row, *, begins: bool) -> str:
    leads = [html.escape(lead) for lead in row.leads]
    leads[-1] += f" <sup>{row.mark}</sup>" if row.mark else ""
    cells = "".join(f'<th class="lead" scope="row">{lead}</th>' for lead in leads)
    styles = {BEST: "<td><b>{}</b></td>", SECOND: "<td><u>{}</u></td>"}
    for cell in row.cells:
        text = cell.text if cell.text == NONE else cell.text.replace("-", "−")
        cells += styles.get(cell.rank, "<td>{}</td>").format(text)
    names = " ".join(["begins"] * begins + ["ours"] * bool(row.mark))
    return f'<tr class="{names}">{cells}</tr>' if names else f"<tr>{cells}</tr>"
