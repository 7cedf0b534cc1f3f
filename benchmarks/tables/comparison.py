"""A comparison of two systems as a table."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Literal

from benchmarks.scoring.results import by_text
from benchmarks.scoring.significance import Comparison, Difference
from benchmarks.tables.render import to_markdown
from benchmarks.tables.table import ARROWS, Cell, Column, Row, Table
from pipeline.files import json_bytes

_HEADINGS = ("A", "B", "real", "gain of A", "95% CI", "p", "clips", "A is")
_TONES: dict[str, Literal["good", "bad", "soft"]] = {"better": "good", "worse": "bad"}


def comparison_table(comparison: Comparison) -> Table:
    """A row for each metric; below, what limits single metrics, then what holds for all."""
    limits = by_text((one.label, one.note) for one in comparison.differences if one.note)
    return Table(
        f"A: {comparison.a}, B: {comparison.b}, over {comparison.clips} common clips",
        ("metric",),
        tuple(Column("", heading) for heading in _HEADINGS),
        tuple(_row(one) for one in comparison.differences),
        (*(f"{limit}." for limit in limits), *comparison.notes),
    )


def _row(one: Difference) -> Row:
    texts = [
        *("" if value is None else f"{value:.3f}" for value in (one.a, one.b, one.real)),
        "" if one.gain is None else f"{one.gain:+.3f}",
        "{:+.3f} to {:+.3f}".format(*one.ci95) if one.ci95 else "",
        "" if one.p is None else f"{one.p:.4f}",
        str(one.clips) if one.clips else "",
    ]
    verdict = Cell(one.verdict, tone=_TONES.get(one.verdict, "soft"))
    return Row((f"{one.label} {ARROWS[one.direction]}",), (*map(Cell, texts), verdict))


WRITERS: dict[str, Callable[[Comparison], str]] = {
    ".json": lambda comparison: json_bytes(asdict(comparison)).decode(),
    ".md": lambda comparison: to_markdown(comparison_table(comparison)),
}
