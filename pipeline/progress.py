"""Progress that suits where it is shown: a bar on a terminal, lines in a log or a notebook."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.util import find_spec
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

LOG_SECONDS = 10.0  # between two lines of a plain log


class Advance(Protocol):
    """Counts one more of the units whose progress is shown."""

    def __call__(self, note: str = "") -> None:
        """Counts one; `note` is shown beside the count."""
        ...


@contextmanager
def progress(unit: str, total: int) -> Iterator[Advance]:
    """Shows how far `total` units are, on standard error, and gives the function that counts one.

    `unit` is what is counted, in the plural.
    """
    with _bar(unit, total) if _draws() else _log(unit, total) as step:
        yield step


def _draws() -> bool:
    """Whether a bar can be drawn: on a terminal, or in a notebook that has widgets.

    A notebook gives the commands it runs a terminal, but shows what moves the cursor as rubbish.
    """
    if Console().is_jupyter:
        return find_spec("ipywidgets") is not None
    return sys.stderr.isatty() and "JPY_PARENT_PID" not in os.environ


class _Rate(ProgressColumn):
    """Units a second since the beginning."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.completed / max(task.elapsed or 0, 1e-3):.1f}/s")


@contextmanager
def _bar(unit: str, total: int) -> Iterator[Advance]:
    console = Console(stderr=True)
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.description}", markup=False),
        _Rate(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("left"),
    )
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(unit, total=total, note="")

        def step(note: str = "") -> None:
            bar.update(task, advance=1, note=note)

        yield step


@contextmanager
def _log(unit: str, total: int) -> Iterator[Advance]:
    begin = last_line = time.monotonic()
    done = 0

    def step(note: str = "") -> None:
        nonlocal done, last_line
        done += 1
        now = time.monotonic()
        if now - last_line < LOG_SECONDS and not (done == total and last_line > begin):
            return
        last_line = now
        rate = done / max(now - begin, 1e-3)
        left = timedelta(seconds=round((total - done) / rate))
        parts = [f"{done}/{total} {unit}", f"{rate:.1f}/s", note, f"{left} left"]
        print(", ".join(part for part in parts if part), file=sys.stderr, flush=True)

    yield step
