"""What a table is: a published one's layout, its columns, rows and cells, ready to be rendered."""

from __future__ import annotations

import string
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from benchmarks.tables.published import GROUND_TRUTH

ARROWS = {"higher": "↑", "lower": "↓", "closer": f"→{GROUND_TRUTH}"}
BEST, SECOND = 1, 2
NONE = "-"

# What scores.json calls the paper's columns.
METRIC_KEYS = {
    "SSIM": "ssim",
    "PSNR": "psnr",
    "FVD": "fvd",
    "FID": "fid",
    "Blinks/s": "blinks_per_second",
    "Blink dur. (s)": "blink_duration",
    "OFM": "ofm",
    "F-MSE": "f_mse",
    "AV offset": "av_offset",
    "AV confidence": "av_confidence",
    "WER": "wer",
    "CPBD": "cpbd",
    "MSE": "mse",
    "LMD": "lmd",
}


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
            "equations. The published CREMA numbers are over the 820 clips of ten test actors; "
            "the paper states no windows for FVD and no frames for FID."
        ),
    ),
    "ablation": Layout(
        "Diffused Heads, ablation: speech embeddings a side (m_y) and grey motion frames",
        dataset_rows=True,
        note=(
            "m_y speech embeddings before and after the frame's own enter the network; two grey "
            "motion frames or none. CPBD tells sharpness, LMD the distance of mouth landmarks."
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
    """A printed number, or `-` with the reason.

    Attributes:
        text: the digits, or `-`.
        rank: 1 or 2 for the best two of the published systems, or of those measured here; else 0.
        value: the number behind the digits; None where there is none.
        ci95: its 95% interval as printed digits, lower and upper; None where it has none.
        n: the clips it rests on; None where that is not known.
        protocol: how it was measured; empty for published numbers, whose source says it.
        note: why there is no number; empty where there is one.
    """

    text: str
    rank: int = 0
    value: float | None = None
    ci95: tuple[str, str] | None = None
    n: int | None = None
    protocol: str = ""
    note: str = ""


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
        """Each row, and whether a line is drawn above it, since other data begins."""
        begins = [False, *(a.leads[:-1] != b.leads[:-1] for a, b in pairwise(self.rows))]
        return tuple(zip(self.rows, begins, strict=True))

    @property
    def reasons(self) -> dict[str, str]:
        """The letter of each reason for an empty cell, in the order of the cells."""
        notes = dict.fromkeys(cell.note for row in self.rows for cell in row.cells if cell.note)
        return dict(zip(notes, _letters(len(notes)), strict=True))

    @property
    def footnotes(self) -> tuple[tuple[str, str], ...]:
        """(mark, text) of everything below the table that has a mark in it."""
        letters = tuple((letter, note) for note, letter in self.reasons.items())
        rows = sorted(self.measured, key=lambda row: int(row.mark))
        return letters + tuple((row.mark, row.source) for row in rows)


def _letters(count: int) -> list[str]:
    """The first letters of a, b … z, aa, bb …."""
    alphabet = string.ascii_lowercase
    return [alphabet[i % 26] * (i // 26 + 1) for i in range(count)]
