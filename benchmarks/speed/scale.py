"""Whether preparation stays as it begins: memory and time per clip over a long run; a long plan.

Run it on a folder of talking-head clips; it prints Markdown. The long run goes over links to the
clips in turn, each under an id of its own. While it lasts, the memory of the driver and of its
workers is read from /proc, so that this needs Linux.
"""

from __future__ import annotations

import csv
import os
import resource
import shlex
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from benchmarks.clips.pairs import find_videos
from benchmarks.speed.report import header, markdown
from pipeline.dataset.shards import DATASET_FILE
from pipeline.files import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

DH_PREP = str(Path(sys.executable).with_name("dh-prep"))
SETTLED = 500  # clips after which memory is to be flat; a fifth of a run that is shorter than 2500
WORKERS = 2
WINDOW = 0.05  # of the clips: a figure of memory is the median of the looks in it
MB = 1e6


@dataclass(frozen=True)
class Look:
    """The memory of a run at one moment, in bytes.

    `driver` and `worker` (the largest) are (resident, of that anonymous); `everything` is the
    proportional share of the driver and of all processes below it, Ray's own among them.
    """

    clips: int
    driver: tuple[int, int]
    worker: tuple[int, int]
    everything: int


def below(root: int) -> list[int]:
    """A process and all that descend from it."""
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        children[int(fields[1])].append(int(entry.parent.name))
    found = [root]
    for process in found:  # grows while it is walked
        found += children[process]
    return found


def memory(process: int) -> dict[str, int]:
    """VmRSS, RssAnon and Pss of a process in bytes; zeros of one that has ended."""
    sizes = dict.fromkeys(["VmRSS", "RssAnon", "Pss"], 0)
    for file in ("status", "smaps_rollup"):
        try:
            lines = Path(f"/proc/{process}/{file}").read_text(encoding="utf-8").splitlines()
        except OSError:
            continue
        for name, _, value in (line.partition(":") for line in lines):
            if name in sizes:
                sizes[name] = 1024 * int(value.split()[0])
    return sizes


def is_worker(process: int, actor: str) -> bool:
    """Whether a process is a Ray actor of that class."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes().startswith(f"ray::{actor}".encode())
    except OSError:
        return False


def look(driver: int, clips: int, actor: str = "ShardWriter") -> Look:
    """The memory of a run now, whose workers are Ray actors of a class."""
    sizes = {process: memory(process) for process in below(driver)}
    workers = [(s["VmRSS"], s["RssAnon"]) for p, s in sizes.items() if is_worker(p, actor)]
    everything = sum(size["Pss"] for size in sizes.values())
    own = sizes[driver]["VmRSS"], sizes[driver]["RssAnon"]
    return Look(clips, own, max(workers, default=(0, 0)), everything)


def write_manifest(path: Path, clips: Iterable[Path], seconds: float | None) -> None:
    """A manifest of clips, or of their first `seconds`, under ids of their own."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["clip_id", "path", "speaker", "split", "start", "end"])
        for k, clip in enumerate(clips):
            writer.writerow([f"clip-{k:07d}", clip, f"speaker-{k % 997}", "train", "", seconds])


def links(clips: Sequence[Path], folder: Path, count: int) -> Iterator[Path]:
    """Makes `count` links to clips in turn."""
    folder.mkdir()
    for k, clip in enumerate(islice(cycle(clips), count)):
        link = folder / f"clip-{k:07d}{clip.suffix}"
        link.symlink_to(clip.absolute())
        yield link


def shard_size(count: int) -> int:
    """Clips of a shard: as dh-prep has it, or fewer, so that a short run has twenty shards too."""
    return min(32, max(1, count // 20))


def watch(
    clips: Sequence[Path], count: int, seconds: float | None, every: float
) -> tuple[list[Look], list[tuple[int, float]]]:
    """Prepares `count` links to clips and looks on.

    Args:
        clips: the real ones.
        count: of the links.
        seconds: of each clip that are prepared; None: all.
        every: seconds between two looks.

    Returns:
        The looks, and (clips done, time) whenever a shard was.
    """
    with tempfile.TemporaryDirectory() as name:
        folder, out = Path(name), Path(name) / "data"
        write_manifest(folder / "clips.csv", links(clips, folder / "links", count), seconds)
        command = [DH_PREP, "run", f"{folder / 'clips.csv'}", f"--out={out}"]
        command += [f"--workers={WORKERS}", f"--clips-per-shard={shard_size(count)}"]
        marks: dict[Path, int] = {}
        looks: list[Look] = []
        with (folder / "log").open("w") as log:
            run = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
            while run.poll() is None:
                for path in set(out.glob("shard-*.json")) - marks.keys():
                    marks[path] = read_json(path)["clips"]
                looks.append(look(run.pid, sum(marks.values())))
                time.sleep(every)
        if not (out / DATASET_FILE).exists():
            raise RuntimeError(f"{shlex.join(command)} failed:\n{(folder / 'log').read_text()}")
        ended = sorted((path.stat().st_mtime, path) for path in out.glob("shard-*.json"))
        done = np.cumsum([read_json(path)["clips"] for _, path in ended]).tolist()
        return looks, [(k, moment) for k, (moment, _) in zip(done, ended, strict=True)]


def memory_rows(looks: Sequence[Look], count: int) -> list[list[str]]:
    """MB of driver, largest worker and everything: at some clips, the drift, and the most."""
    sizes = np.array([[*each.driver, *each.worker, each.everything] for each in looks]) / MB
    clips = np.array([each.clips for each in looks])
    width = max(WINDOW * count, WORKERS * shard_size(count))

    def around(first: float) -> NDArray[np.float64]:
        chosen = (first <= clips) & (clips < min(first + width, count))
        nearest = np.abs(clips - first) == np.abs(clips - first).min()
        return np.median(sizes[chosen if chosen.any() else nearest], axis=0)

    settled = min(SETTLED, count // 5)
    points = {settled: settled, **{k: k for k in (count // 4, count // 2, 3 * count // 4)}}
    points[count] = int(count - width)
    rows = [(f"clip {k:,}", around(first)) for k, first in points.items()]
    rows.append(("most, the end of the command included", sizes.max(0)))
    drift = 100 * (rows[-2][1] / rows[0][1] - 1)
    table = [[name, *(f"{value:.0f}" for value in values)] for name, values in rows]
    return [*table, [f"clip {count:,} against {settled:,}", *(f"{d:+.1f} %" for d in drift)]]


def time_rows(done: Sequence[tuple[int, float]], count: int) -> list[list[str]]:
    """Milliseconds a clip, all workers together, in fifths of a run.

    What lies before every worker has ended a shard, and after the first finds none, is left out.
    """
    clips, moments = np.array(done[WORKERS - 1 : 1 - WORKERS]).T
    rows = []
    for name, fifth in (("first fifth", 0), ("middle fifth", 2), ("last fifth", 4)):
        begin, end = np.clip([fifth * count / 5, (fifth + 1) * count / 5], clips[0], clips[-1])
        seconds = np.diff(np.interp([begin, end], clips, moments))[0]
        rows.append([name, f"{1000 * seconds / (end - begin):.1f}"])
    return rows


def plan(clips: Sequence[Path], count: int) -> list[list[str]]:
    """Seconds and most memory of planning a manifest of `count` rows, by the command and inside."""
    from pipeline.dataset.plan import plan_shards
    from pipeline.sources.manifest import read_manifest

    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "clips.csv"
        write_manifest(manifest, (clip.absolute() for clip in islice(cycle(clips), count)), None)
        begin = time.perf_counter()
        rows = read_manifest(manifest)
        read = time.perf_counter()
        shards = plan_shards(rows, 32)
        planned = time.perf_counter()
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB
        assert sum(len(shard.rows) for shard in shards) == count
        command = [DH_PREP, "run", str(manifest), f"--out={folder}/data", "--dry-run"]
        started = time.perf_counter()
        run = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(run.pid, 0)
        run.returncode = os.waitstatus_to_exitcode(status)
        ended = time.perf_counter()
        if run.returncode:
            raise RuntimeError(f"{shlex.join(command)} ended with {run.returncode}")
        return [
            ["read_manifest", f"{read - begin:.1f}", ""],
            ["plan_shards", f"{planned - read:.1f}", f"{most:.0f}"],
            [
                "dh-prep run --dry-run",
                f"{ended - started:.1f}",
                f"{usage.ru_maxrss * 1024 / MB:.0f}",
            ],
        ]


def main(
    folder: Annotated[Path, typer.Argument(help="Talking-head clips.")],
    *,
    count: Annotated[int, typer.Option("--clips", min=0, help="Links to prepare.")] = 10_000,
    seconds_each: Annotated[float, typer.Option(min=0, help="Of each; 0: all.")] = 1.0,
    rows: Annotated[int, typer.Option(min=0, help="To plan.")] = 1_000_000,
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between looks.")] = 2.0,
) -> None:
    """Prints memory and time per clip over a long run, and what planning takes."""
    clips = list(find_videos(folder).values())
    print(header(f"python {shlex.join(sys.argv)}", ["ray", "pyarrow"]))
    if count:
        looks, done = watch(clips, count, seconds_each or None, every)
        columns = ["MB, median of looks", "driver", "anonymous", "largest worker", "anonymous"]
        print(f"{count:,} clips, {len(looks)} looks, load {os.getloadavg()[0]:.1f} at the end\n")
        print(markdown([*columns, "everything (Pss)"], memory_rows(looks, count)), end="\n\n")
        print(markdown(["", f"ms a clip, {WORKERS} workers"], time_rows(done, count)), end="\n\n")
    if rows:
        print(f"a manifest of {rows:,} rows\n")
        print(markdown(["", "seconds", "most resident, MB"], plan(clips, rows)))


if __name__ == "__main__":
    typer.run(main)
