"""What a table is: a published one's layout, its columns, rows and cells, ready to be rendered."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.published import GROUND_TRUTH

ARROWS = {"higher": "↑", "lower": "↓", "closest": f"→{GROUND_TRUTH}"}
BEST, SECOND = 1, 2
NONE = "-"


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

    @property
    def spans(self) -> dict[str, int]:
        """Number of columns by data set, the upper heading; empty where rows name the data set."""
        return Counter(column.dataset for column in self.columns if column.dataset)

    @property
    def sections(self) -> tuple[tuple[Row, bool], ...]:
        """Each row, and whether a line is drawn above it: other data, or the first of ours."""
        keys = [(row.leads[:-1] if not row.mark else (), bool(row.mark)) for row in self.rows]
        begins = [False, *(key != before for before, key in pairwise(keys))]
        return tuple(zip(self.rows, begins, strict=True))
