"""How a measurement is reported: on which machine, how busy it was, and a Markdown table."""

from __future__ import annotations

import datetime as dt
import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def header(command: str, packages: Sequence[str]) -> str:
    """Machine, date, load and versions, then the command."""
    day = dt.datetime.now(tz=dt.UTC).date()
    cores = f"{os.cpu_count()} cores of {_processor()}"
    load = f"load {os.getloadavg()[0]:.1f}"
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{day}, {cores}, {load} at the start; Python {platform.python_version()}, {versions}\n\n"
        f"`{command}`\n"
    )


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if not cpuinfo.exists():
        return platform.processor() or platform.machine()
    fields = [line.partition(":") for line in cpuinfo.read_text(encoding="utf-8").splitlines()]
    found = {name.strip(): value.strip() for name, _, value in fields}
    family = f"family {found['cpu family']}, " if "cpu family" in found else ""
    return f"{found.get('model name', platform.machine())} ({family}{platform.machine()})"


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first column is text and whose others are numbers."""
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [headings, rule, *rows])
