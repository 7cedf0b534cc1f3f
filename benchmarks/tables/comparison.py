"""A comparison of two systems as it is read: terminal, Markdown, HTML, JSON."""

from __future__ import annotations

import html
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table as RichTable
from rich.text import Text

from benchmarks.tables.layout import ARROWS
from benchmarks.tables.render import by_suffix
from pipeline.files import json_bytes, write_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.scoring.significance import Comparison, Difference

HEADINGS = ("metric", "A", "B", "real", "gain of A", "95% CI", "p", "clips", "A is")
_STYLES = {"better": "green", "worse": "red", "within noise": "dim", "unknown": "dim"}


def title(comparison: Comparison) -> str:
    """What is compared, in a line."""
    return f"A: {comparison.a}, B: {comparison.b}, over {comparison.clips} common clips"


def lines(comparison: Comparison) -> list[list[str]]:
    """The cells of each metric as text, below `HEADINGS`."""
    return [_line(one) for one in comparison.differences]


def _line(one: Difference) -> list[str]:
    interval = f"{_signed(one.ci95[0])} to {_signed(one.ci95[1])}" if one.ci95 else ""
    return [
        f"{one.label} {ARROWS[one.direction]}",
        *("" if value is None else f"{value:.3f}" for value in (one.a, one.b, one.real)),
        "" if one.gain is None else _signed(one.gain),
        interval,
        "" if one.p is None else f"{one.p:.4f}",
        str(one.clips) if one.clips else "",
        one.verdict,
    ]


def _signed(value: float) -> str:
    return f"{value:+.3f}"


def remarks(comparison: Comparison) -> list[str]:
    """What limits single metrics, then what holds for all."""
    labels: dict[str, list[str]] = {}
    for one in comparison.differences:
        if one.note:
            labels.setdefault(one.note, []).append(one.label)
    return [*(f"{', '.join(own)}: {note}." for note, own in labels.items()), *comparison.notes]


def print_comparison(comparison: Comparison) -> None:
    """Prints the comparison, wider than the terminal if need be."""
    console = Console()
    shown = RichTable(title=Text(title(comparison)), title_justify="left", box=SIMPLE_HEAD)
    for heading in HEADINGS:
        shown.add_column(heading, justify="left" if heading == "metric" else "right", no_wrap=True)
    for cells in lines(comparison):
        shown.add_row(*map(Text, cells[:-1]), Text(cells[-1], style=_STYLES[cells[-1]]))
    needed = Measurement.get(console, console.options.update(width=1000), shown).maximum
    console.width = max(console.width, needed)
    console.print(shown)
    for note in remarks(comparison):
        console.print(note, markup=False, highlight=False, style="dim", soft_wrap=True)


def to_markdown(comparison: Comparison) -> str:
    """GitHub's Markdown."""
    rows = [list(HEADINGS), ["---", *["---:"] * (len(HEADINGS) - 1)], *lines(comparison)]
    body = "\n".join(f"| {' | '.join(_plain(cell) for cell in row)} |" for row in rows)
    notes = "\n\n".join(_plain(note) for note in remarks(comparison))
    return f"### {_plain(title(comparison))}\n\n{body}\n\n{notes}\n"


def _plain(text: str) -> str:
    return html.escape(text, quote=False).replace("|", "\\|")


def to_html(comparison: Comparison) -> str:
    """A table for the report; `page.TABLE_STYLE` dresses it."""
    heads = "".join(f'<th scope="col">{heading}</th>' for heading in HEADINGS[1:])
    body = ""
    for cells in lines(comparison):
        lead, *numbers, verdict = map(html.escape, cells)
        shown = "".join(f"<td>{number.replace('-', '−')}</td>" for number in numbers)
        kind = verdict.replace(" ", "-")
        body += (
            f'<tr><th class="lead" scope="row">{lead}</th>{shown}'
            f'<td><span class="verdict {kind}">{verdict}</span></td></tr>'
        )
    notes = "".join(f"<p>{html.escape(note)}</p>" for note in remarks(comparison))
    return (
        f'<div class="wide"><table class="results"><thead><tr><th class="lead" scope="col">'
        f"{HEADINGS[0]}</th>{heads}</tr></thead><tbody>{body}</tbody></table></div>"
        f'<div class="notes">{notes}</div>'
    )


def to_json(comparison: Comparison) -> str:
    """All fields."""
    return json_bytes(asdict(comparison)).decode()


WRITERS: dict[str, Callable[[Comparison], str]] = {".json": to_json, ".md": to_markdown}


def write_comparison(path: Path, comparison: Comparison) -> None:
    """Writes a comparison in the format that the file's suffix names, atomically.

    Raises:
        UserError: the suffix names no format.
    """
    write_text(path, writer(path)(comparison))


def writer(path: Path) -> Callable[[Comparison], str]:
    """The format that a file's suffix names.

    Raises:
        UserError: it names none.
    """
    return by_suffix(path, WRITERS)
