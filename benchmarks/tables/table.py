"""The table that all writers take: columns, rows, and cells with their marks and reasons."""

import string
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

ARROWS = {"higher": "↑", "lower": "↓", "closer": "→GT"}
BEST, SECOND = 1, 2
NONE = "-"
MEASURED = " (measured here)"  # ends the name of such a row


@dataclass(frozen=True)
class Column:
    """A metric, on a data set if columns belong to one; `direction` is empty for other columns."""

    dataset: str
    metric: str
    direction: str = ""

    @property
    def heading(self) -> str:
        """The metric and which way is better."""
        return f"{self.metric} {ARROWS[self.direction]}" if self.direction else self.metric


@dataclass(frozen=True)
class Cell:
    """A printed value, or `-` with the reason."""

    text: str  # the digits, or `-`
    # 1 or 2 for the best two of the published systems, or of those measured here; else 0.
    rank: int = 0
    value: float | None = None  # the number behind the digits; None in an empty cell
    # Its 95% interval as printed digits, lower and upper; None where it has none.
    ci95: tuple[str, str] | None = None
    n: int | None = None  # the clips it rests on; None where unknown
    protocol: str = ""  # how it was measured; empty for published numbers
    note: str = ""  # why there is no number; empty where there is one
    # `good`, `bad` or `soft` for words that are coloured.
    tone: Literal["", "good", "bad", "soft"] = ""


@dataclass(frozen=True)
class Row:
    """A row: `leads` are its names, such as data set and system.

    `source` is where a published row is printed, or how a measured one was made; `mark` is the
    number of its footnote, which only measured rows have; `clips` is the number of clips.
    """

    leads: tuple[str, ...]
    cells: tuple[Cell, ...]
    source: str = ""
    mark: str = ""
    clips: str = NONE


@dataclass(frozen=True)
class Table:
    """A table ready to be written: `notes` apply to all of it."""

    title: str
    leads: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def measured(self) -> tuple[Row, ...]:
        """The rows measured here."""
        return tuple(row for row in self.rows if row.mark)

    @property
    def spans(self) -> dict[str, int]:
        """Number of columns by data set, the upper heading; empty where columns have none."""
        return Counter(column.dataset for column in self.columns if column.dataset)

    @property
    def sections(self) -> tuple[tuple[Row, bool], ...]:
        """Each row, and whether a line is drawn above it, since another data set begins."""
        begins = [False, *(a.leads[:-1] != b.leads[:-1] for a, b in pairwise(self.rows))]
        return tuple(zip(self.rows, begins[: len(self.rows)], strict=True))

    @property
    def reasons(self) -> dict[str, str]:
        """The letter (a, b … z, aa …) of each reason for an empty cell, in the order of cells."""
        notes = dict.fromkeys(cell.note for row in self.rows for cell in row.cells if cell.note)
        letters = string.ascii_lowercase
        return {note: letters[k % 26] * (k // 26 + 1) for k, note in enumerate(notes)}

    @property
    def footnotes(self) -> tuple[tuple[str, str], ...]:
        """(mark, text) of everything below the table that has a mark in it."""
        letters = tuple((letter, note) for note, letter in self.reasons.items())
        rows = sorted(self.measured, key=lambda row: int(row.mark))
        return letters + tuple((row.mark, row.source) for row in rows)
