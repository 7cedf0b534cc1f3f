"""Harness of the benchmarks: the machine, timing in turns, processes of a command, tables.

Ways to do the same work are timed in turns within one run, so that a busy moment slows all of them,
and are compared by their medians. Processes are read from /proc: those functions need Linux.
"""

import datetime as dt
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from pipeline.progress import progress

T = TypeVar("T")
_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")  # that decide how fast networks are


@dataclass(frozen=True)
class Cost:
    """Seconds of processor time, and seconds by the clock."""

    processor: float = 0.0
    clock: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(self.processor + other.processor, self.clock + other.clock)


def header(packages: Sequence[str]) -> str:
    """Date, machine, load and versions, then the command that is running."""
    day = dt.datetime.now(tz=dt.UTC).date()
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        f"{day}, {machine()}, {load()} at the start; Python {platform.python_version()}, "
        f"{versions}\n\n`python {shlex.join(sys.argv)}`\n"
    )


def machine() -> str:
    """Cores, processor and its flags, and the GPU if torch is loaded and has one."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    fields = {key.strip(): value.strip() for key, _, value in (x.partition(":") for x in lines)}
    model = fields.get("model name", platform.processor() or platform.machine())
    family = f"family {fields['cpu family']}, " if "cpu family" in fields else ""
    flags = [flag for flag in _FLAGS if flag in fields.get("flags", "").split()]
    found = f"{os.cpu_count()} cores of {model} ({family}{' '.join(flags) or platform.machine()})"
    torch = sys.modules.get("torch")
    gpu = f", {torch.cuda.get_device_name()}" if torch and torch.cuda.is_available() else ""
    return found + gpu


def load() -> str:
    """The load of the last minute, in words."""
    return f"load {os.getloadavg()[0]:.1f}"


def markdown(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table whose first column is text and whose others are numbers."""
    rule = ["---", *["---:"] * (len(headings) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [headings, rule, *rows])


def spread(items: Sequence[T], most: int | None) -> list[T]:
    """All items, or `most` of them spread evenly."""
    count = min(most or len(items), len(items))
    return [items[k * len(items) // count] for k in range(count)]


def each(items: Sequence[T], label: str) -> Iterator[T]:
    """The items, with progress shown."""
    with progress(label, len(items)) as step:
        for item in items:
            yield item
            step()


def timed(work: Callable[[], T]) -> tuple[Cost, T]:
    """The cost of one run of `work` in this process, and its result."""
    clock, processor = time.perf_counter(), time.process_time()
    result = work()
    return Cost(time.process_time() - processor, time.perf_counter() - clock), result


def in_turns(
    ways: Mapping[str, Callable[[], float | None]], rounds: int, *, warm_up: int = 1
) -> dict[str, float]:
    """The median of the seconds of several ways to do the same work, each once a round.

    A way may return the seconds that count instead of all it took. Rounds of `warm_up`, which
    compile, allocate and load, do not count.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for turn in range(warm_up + rounds):
        for name, work in ways.items():
            cost, own = timed(work)
            if turn >= warm_up:
                seconds[name].append(cost.clock if own is None else own)
    return {name: statistics.median(values) for name, values in seconds.items()}


def run_command(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    accept: Sequence[int] = (0,),
    watch: Callable[[int], None] | None = None,
    every: float = 0.5,
) -> tuple[Cost, str]:
    """The cost of a command, ours by its name alone, all processes included, and what it prints.

    Ray's workers are not waited for by their parents: while the command runs, the processor time of
    all processes below it is read from /proc every `every` seconds, and `watch` is called with the
    process's id. Exit codes other than those to accept are a RuntimeError.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        begin = time.perf_counter()
        ours = Path(sys.executable).parent / command[0]
        words = [str(ours) if ours.exists() else command[0], *command[1:]]
        run = subprocess.Popen(words, stdout=out, stderr=err, env=environment, cwd=cwd)
        seen: dict[int, float] = {}
        done, next_look = 0, begin
        while not done:
            time.sleep(0.01)
            if time.perf_counter() >= next_look:
                seen |= below(run.pid)  # those that have ended stay
                if watch:
                    watch(run.pid)
                next_look = time.perf_counter() + every
            done, status, usage = os.wait4(run.pid, os.WNOHANG)
        clock = time.perf_counter() - begin
        run.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        if run.returncode not in accept:
            raise RuntimeError(f"{shlex.join(command)} failed:\n{err.read().decode()}")
        waited = usage.ru_utime + usage.ru_stime
        return Cost(max(waited, sum(seen.values())), clock), out.read().decode()


def below(root: int) -> dict[int, float]:
    """A process and all that descend from it, with the processor seconds of each by itself."""
    children: dict[int, list[int]] = defaultdict(list)
    seconds: dict[int, float] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        process = int(entry.parent.name)
        children[int(fields[1])].append(process)
        seconds[process] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    found = [root]
    for process in found:  # grows while it is walked
        found += children[process]
    return {process: seconds.get(process, 0.0) for process in found}
