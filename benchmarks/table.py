"""The paper's tables with ours beside them, as Markdown, CSV, LaTeX, HTML or on the terminal."""

from __future__ import annotations

import csv
import html
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from rich.box import SIMPLE_HEAD
from rich.table import Table as RichTable
from rich.text import Text

from benchmarks.published import GROUND_TRUTH, ranks, read_published, same_name
from benchmarks.score import SCHEMA_VERSION
from pipeline.errors import UserError
from pipeline.files import read_json, write_text

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.published import Published
    from benchmarks.score import Scores, SetRow

ARROWS = {"higher": "↑", "lower": "↓", "closest": f"→{GROUND_TRUTH}"}
BEST, SECOND = 1, 2
NONE = "-"
HEADING = 8  # characters of a heading that stay on one line in a terminal


@dataclass(frozen=True)
class Layout:
    """How a published table is laid out.

    Attributes:
        title: heading and caption.
        dataset_rows: data sets are groups of rows, as in a table of many metrics; else of columns.
        note: what a reader must know of the published numbers.
    """

    title: str
    dataset_rows: bool
    note: str


LAYOUTS = {
    "v1": Layout(
        "Diffused Heads, first version: SSIM and PSNR",
        dataset_rows=False,
        note=(
            "The paper states no window or range for SSIM and no peak for PSNR: a number measured "
            "here is comparable only as far as the protocols agree."
        ),
    ),
    "v2": Layout(
        "Diffused Heads, published version",
        dataset_rows=True,
        note=(
            "→GT: the closer to the real clips (GT) the better. Wav2Lip is driven from still "
            "images. OFM and F-MSE are those of the authors' script, which differ from their "
            "equations."
        ),
    ),
}


@dataclass(frozen=True)
class Column:
    """A metric on a data set; `dataset` is empty where each row names its own."""

    dataset: str
    metric: str
    direction: str

    @property
    def heading(self) -> str:
        """The metric and which way is better."""
        return f"{self.metric} {ARROWS[self.direction]}"

    @property
    def title(self) -> str:
        """The heading with the data set before it."""
        return f"{self.dataset} {self.heading}".lstrip()


@dataclass(frozen=True)
class Cell:
    """A printed number, or `-`; `rank` is 1 or 2 for the best two published ones, else 0."""

    text: str
    rank: int = 0


@dataclass(frozen=True)
class Row:
    """A system: `leads` are its data set (if rows have one) and name; `mark` its footnote's number.

    `clips` and `source` say how many clips the row rests on and where it is from.
    """

    leads: tuple[str, ...]
    cells: tuple[Cell, ...]
    source: str
    mark: str = ""
    clips: str = NONE


@dataclass(frozen=True)
class Table:
    """A table ready to be rendered: `notes` apply to all of it, then one for each measured row."""

    title: str
    leads: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def measured(self) -> tuple[Row, ...]:
        """The rows measured here."""
        return tuple(row for row in self.rows if row.mark)


def read_scores(path: Path) -> Scores:
    """Reads what `dh-bench score` wrote.

    Raises:
        UserError: the file is absent or was not written by it.
    """
    try:
        scores = read_json(path)
    except FileNotFoundError as error:
        raise UserError(f"no such file: {path}; make it with: dh-bench score") from error
    except (json.JSONDecodeError, UnicodeDecodeError, OSError) as error:
        raise UserError(f"{path} does not read as JSON; is it from dh-bench score?") from error
    if not isinstance(scores, dict) or not {"schema_version", "metrics", "clips"} <= scores.keys():
        raise UserError(f"{path} was not written by dh-bench score")
    if scores["schema_version"] != SCHEMA_VERSION:
        raise UserError(
            f"{path} has schema version {scores['schema_version']}, this program reads "
            f"{SCHEMA_VERSION}; score the videos again"
        )
    return cast("Scores", scores)


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
    for dataset, span in _spans(table):
        over.append(rf"\multicolumn{{{span}}}{{c}}{{{_tex(dataset)}}}")
        rules += rf"\cmidrule(lr){{{at}-{at + span - 1}}}"
        at += span
    lines = [rf"{' & '.join(over)} \\", rules] if rules else []
    heading = [*table.leads, *(column.heading for column in table.columns)]
    lines += [rf"{' & '.join(map(_tex, heading))} \\", r"\midrule"]
    for row, begins in _sections(table):
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


def _spans(table: Table) -> list[tuple[str, int]]:
    """(data set, number of columns) of the upper heading; empty where rows name the data set."""
    counts: dict[str, int] = {}
    for column in table.columns:
        if column.dataset:
            counts[column.dataset] = counts.get(column.dataset, 0) + 1
    return list(counts.items())


def _sections(table: Table) -> list[tuple[Row, bool]]:
    """Each row, and whether a line is drawn above it: another data set, or the first measured."""
    sections, before = [], None
    for row in table.rows:
        key = (row.leads[:-1] if not row.mark else (), bool(row.mark))
        sections.append((row, before is not None and key != before))
        before = key
    return sections


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
        for dataset, span in _spans(table)
    )
    heads = "".join(f'<th scope="col">{html.escape(c.heading)}</th>' for c in table.columns)
    head = f"<tr>{leads}{heads}</tr>"
    if spans:
        blanks = '<th class="lead"></th>' * len(table.leads)
        head = f"<tr>{blanks}{spans}</tr>\n{head}"
    body = "\n".join(_html_row(row, begins=begins) for row, begins in _sections(table))
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


def to_rich(table: Table) -> RichTable:
    """The table for a terminal; its notes are the caller's to print."""
    shown = RichTable(title=table.title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    for lead in table.leads:
        shown.add_column(lead, no_wrap=True)
    for index, column in enumerate(table.columns):
        # Fixed widths: rich would cut digits to fit a narrow terminal; long headings are broken.
        heading = (
            column.heading if len(column.heading) <= HEADING else "\n".join(column.heading.split())
        )
        texts = [
            column.dataset,
            *heading.split("\n"),
            *(row.cells[index].text for row in table.rows),
        ]
        shown.add_column(
            f"{column.dataset}\n{heading}".lstrip(), justify="right", width=max(map(len, texts))
        )
    styles = {BEST: "bold", SECOND: "underline"}
    for row, begins in _sections(table):
        if begins:
            shown.add_section()
        leads = list(row.leads)
        leads[-1] += f" [{row.mark}]" if row.mark else ""
        # Text, not markup: a system may be called [anything].
        cells = [Text(cell.text, style=styles.get(cell.rank, "")) for cell in row.cells]
        shown.add_row(*map(Text, leads), *cells)
    return shown


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
