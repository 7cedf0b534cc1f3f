"""Runs of dh-prep that are looked on at, and their processes."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.datasets import DH_PREP

WORDS = ("--clips-per-shard", "2", "--image-size", "64", "--workers")
LONG = 600  # seconds; a machine may have much else to do
_FAULTY_WORKERS = Path(__file__).with_name("faulty_workers.py")


def start(
    videos: Path, out: Path, workers: int, *words: str, fault: tuple[object, ...] = ()
) -> subprocess.Popen[bytes]:
    """dh-prep run, which writes what it says into a log beside `out`.

    Args:
        videos: its input.
        out: the data set's folder.
        workers: how many.
        words: more of the command.
        fault: see `tests/faults/faulty_workers.py`.
    """
    script = [sys.executable, _FAULTY_WORKERS, *map(str, fault)] if fault else [DH_PREP]
    with out.with_suffix(".log").open("w") as log:
        return subprocess.Popen(
            [*script, "run", videos, "--out", out, *WORDS, str(workers), *words],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def log_of(out: Path) -> str:
    """What the run into `out` has printed so far."""
    return out.with_suffix(".log").read_text()


def start_time(pid: int) -> str:
    """When a process began, which tells it from a later one of its number; empty if it ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]


def wait_until_gone(processes: dict[int, str]) -> None:
    """Waits for the end of processes, of which it is known when they began."""
    end = time.monotonic() + LONG
    while alive := [pid for pid, begun in processes.items() if begun and start_time(pid) == begun]:
        assert time.monotonic() < end, alive
        time.sleep(0.05)


def wait_for(run: subprocess.Popen[bytes], out: Path, *paths: Path) -> None:
    """Waits until a run that goes on has made files."""
    while not all(path.exists() for path in paths):
        assert run.poll() is None, log_of(out)
        time.sleep(0.02)


def interrupt(run: subprocess.Popen[bytes], number: int, *, group: bool) -> int:
    """Sends a signal to a run, or its process group, and gives its exit code."""
    (os.killpg if group else os.kill)(run.pid, number)
    return run.wait(LONG)
