"""Sizes, lengths of time and numbers as text; some of many values."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")


def evenly(values: Sequence[T], most: int) -> list[T]:
    """At most `most` of the values, evenly over them."""
    places = np.linspace(0, len(values) - 1, min(most, len(values)))
    return [values[i] for i in places.round().astype(int).tolist()]


def size_text(size: float) -> str:
    """A number of bytes as text, such as `3.2 MB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def time_text(seconds: float) -> str:
    """A length of time as text, such as `1.5 hours`."""
    if seconds < 60:
        return f"{seconds:.1f} seconds"
    return f"{seconds / 60:.1f} minutes" if seconds < 3600 else f"{seconds / 3600:.1f} hours"


def number_text(value: float, *, even: bool = False) -> str:
    """A number as short as its size allows: 181, 24.3, 3.52, 0.053.

    With `even` a fraction keeps its last zeros, 0.400 beside 0.415; whole numbers have none.
    """
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    text = f"{value:.{digits}f}"
    if "." in text and not (even and value != round(value)):
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", "−")
