"""Whether a long run stays as it begins: memory and time per clip of dh-prep, memory of dh-bench.

`prep` and `score` go over links to real clips in turn, each under a name of its own. The
measurements of dh-bench come from the cache after the first round, so that it takes minutes: the
processes still open, read and pass on as much of each clip. `plan` gives what planning a long
manifest takes. Memory is read from /proc, so this needs Linux. Prints Markdown.
"""

import re
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer

from benchmarks.clips.pairs import find_videos
from benchmarks.speed.harness import Cost, below, header, load, markdown, run_command
from pipeline.files import read_json

WORKERS = 2
POINTS = (0.05, 0.25, 0.5, 0.75, 0.95)  # of the run at which memory is given
WINDOW = 0.05  # of the run: a figure of memory is the median of the looks in it
MB = 1e6
COLUMNS = ("driver", "anonymous", "largest worker", "anonymous", "everything (Pss)")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
Count = Annotated[int, typer.Option("--clips", min=1, help="Links that are made.")]
Every = Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at the memory.")]


def memory(process: int) -> tuple[int, int, int]:
    """Resident bytes of a process, the anonymous ones of them, and its share; 0 if it has ended."""
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8")
    except OSError:
        text = ""
    kilobytes = dict(re.findall(r"^(Rss|Anonymous|Pss): +(\d+) kB", text, re.MULTILINE))
    resident, anonymous, share = (
        1024 * int(kilobytes.get(name, 0)) for name in ("Rss", "Anonymous", "Pss")
    )
    return resident, anonymous, share


def is_worker(process: int) -> bool:
    """Whether a process is a Ray worker with work."""
    try:
        name = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False
    return name.startswith(b"ray::") and not name.startswith(b"ray::IDLE")


def look(driver: int) -> list[int]:
    """Bytes of a run now, in the order of `COLUMNS`; the last is the share of all processes."""
    sizes = {process: memory(process) for process in below(driver)}
    workers = [size[:2] for process, size in sizes.items() if is_worker(process)]
    everything = sum(share for _, _, share in sizes.values())
    return [*sizes[driver][:2], *max(workers, default=(0, 0)), everything]


def watched(words: Sequence[str], every: float) -> tuple[Cost, list[tuple[float, list[int]]]]:
    """What a command costs, and (time, what `look` returned) each `every` seconds."""
    looks: list[tuple[float, list[int]]] = []
    cost, _ = run_command(
        words, accept=(0, 1), every=every, watch=lambda p: looks.append((time.time(), look(p)))
    )
    return cost, looks


def memory_rows(looks: Sequence[tuple[float, list[int]]]) -> list[list[str]]:
    """MB at some points of the run, the most, and the drift."""
    times = np.array([moment for moment, _ in looks])
    share = (times - times[0]) / max(1e-9, times[-1] - times[0])
    sizes = np.array([size for _, size in looks]) / MB
    rows = []
    for point in POINTS:
        near = np.abs(share - point) <= max(WINDOW / 2, np.abs(share - point).min())
        rows.append((f"{point:.0%} of the run", np.median(sizes[near], axis=0)))
    drift = 100 * (rows[-1][1] / np.maximum(rows[0][1], 1e-9) - 1)
    rows.append(("most, the end of the command included", sizes.max(0)))
    table = [[name, *(f"{value:.0f}" for value in values)] for name, values in rows]
    return [*table, [f"{POINTS[-1]:.0%} against {POINTS[0]:.0%}", *(f"{d:+.1f} %" for d in drift)]]


def time_rows(done: Sequence[tuple[int, float]], count: int) -> list[list[str]]:
    """Milliseconds a clip, all workers together, in fifths of a run.

    The time before every worker has ended a shard, or after one runs out of work, is left out.

    `done`: (clips done so far, time) at the end of each shard; `count`: clips of the run.
    """
    clips, moments = np.array(done[WORKERS - 1 : 1 - WORKERS]).T
    rows = []
    for name, fifth in (("first fifth", 0), ("middle fifth", 2), ("last fifth", 4)):
        begin, end = np.clip([fifth * count / 5, (fifth + 1) * count / 5], clips[0], clips[-1])
        seconds = np.diff(np.interp([begin, end], clips, moments))[0]
        rows.append([name, f"{1000 * seconds / (end - begin):.1f}"])
    return rows


def links(clips: Sequence[Path], folder: Path, count: int) -> Iterator[Path]:
    """Makes `count` links to clips in turn."""
    folder.mkdir(parents=True)
    for k, clip in enumerate(islice(cycle(clips), count)):
        link = folder / f"clip-{k:07d}{clip.suffix}"
        link.symlink_to(clip.absolute())
        yield link


def write_manifest(path: Path, clips: Iterable[Path], seconds: float | None) -> None:
    """A manifest of clips, or of their first `seconds`, under ids of their own."""
    listed = [
        (f"clip-{k:07d}", clip, f"speaker-{k % 997}", "train", "", seconds)
        for k, clip in enumerate(clips)
    ]
    columns = ["clip_id", "path", "speaker", "split", "start", "end"]
    pd.DataFrame(listed, columns=columns).to_csv(path, index=False)


@app.command()
def prep(
    folder: Annotated[Path, typer.Argument(help="Talking-head clips.")],
    *,
    count: Count = 10_000,
    seconds_each: Annotated[float, typer.Option(min=0, help="Of each; 0: all.")] = 1.0,
    every: Every = 2.0,
) -> None:
    """Memory and time per clip over a long run of dh-prep."""
    clips = list(find_videos(folder).values())
    print(header(["ray", "pyarrow"]))
    with tempfile.TemporaryDirectory() as name:
        made, out = links(clips, Path(name) / "links", count), Path(name) / "data"
        write_manifest(Path(name) / "clips.csv", made, seconds_each or None)
        shard = min(32, max(1, count // 20))  # as dh-prep has it; a short run has 20 shards too
        words = ["dh-prep", "run", f"{name}/clips.csv", f"--out={out}"]
        _, looks = watched([*words, f"--workers={WORKERS}", f"--clips-per-shard={shard}"], every)
        ended = sorted((path.stat().st_mtime, path) for path in out.glob("shard-*.json"))
        done = np.cumsum([read_json(path)["clips"] for _, path in ended]).tolist()
    print(f"{count:,} clips, {len(looks)} looks; {load()} at the end\n")
    print(markdown(["MB, median of looks", *COLUMNS], memory_rows(looks)), end="\n\n")
    moments = [moment for moment, _ in ended]
    rows = time_rows(list(zip(done, moments, strict=True)), count)
    print(markdown(["", f"ms a clip, {WORKERS} workers"], rows))


@app.command()
def score(
    real: Annotated[Path, typer.Argument(help="Folder of real clips.")],
    fake: Annotated[Path, typer.Argument(help="Folder of fakes, of the same names.")],
    *,
    count: Count = 10_000,
    frames: Annotated[int, typer.Option(min=16, help="Of each clip.")] = 16,
    metrics: Annotated[str, typer.Option(help="Of dh-bench score.", show_default="all")] = "",
    every: Every = 1.0,
) -> None:
    """Memory over a long run of dh-bench."""
    fakes = find_videos(fake)
    pairs = [(path, fakes[name]) for name, path in find_videos(real).items() if name in fakes]
    print(header(["ray", "torch"]))
    with tempfile.TemporaryDirectory() as name:
        words = ["dh-bench", "score", f"--out={name}/scores.json"]
        for side, paths in zip(("real", "fake"), zip(*pairs, strict=True), strict=True):
            words.append(f"--{side}={name}/{side}")
            list(links(paths, Path(name) / side, count))
        words += [f"--cache={name}/cache", f"--workers={WORKERS}", f"--max-frames={frames}"]
        cost, looks = watched([*words, f"--metrics={metrics}"], every)
        size = (Path(name) / "scores.json").stat().st_size
        found = read_json(Path(name) / "scores.json")["metrics"]
    measured = ", ".join(key for key, row in found.items() if row["mean"] is not None)
    print(
        f"{count:,} links to {len(pairs)} pairs, {len(looks)} looks, {cost.clock:.0f} s, {WORKERS}"
    )
    print(f"workers; {load()} at the end; scores.json: {size / MB:.1f} MB; measured: {measured}\n")
    print(markdown(["MB, median of looks", *COLUMNS], memory_rows(looks)))


@app.command()
def plan(
    folder: Annotated[Path, typer.Argument(help="Talking-head clips.")],
    *,
    rows: Annotated[int, typer.Option(min=1, help="Of the manifest.")] = 1_000_000,
) -> None:
    """Seconds and memory of planning a long manifest."""
    clips = [path.absolute() for path in find_videos(folder).values()]
    print(header(["pyarrow"]))
    with tempfile.TemporaryDirectory() as name:
        write_manifest(Path(name) / "clips.csv", islice(cycle(clips), rows), None)
        words = ["dh-prep", "run", f"{name}/clips.csv", f"--out={name}/data", "--dry-run"]
        resident: list[int] = []
        cost, _ = run_command(words, watch=lambda p: resident.append(memory(p)[0]), every=0.1)
    cells = [f"{rows:,}", f"{cost.clock:.1f}", f"{max(resident) / MB:.0f}"]
    print(markdown(["rows", "seconds", "most resident, MB"], [cells]))


if __name__ == "__main__":
    app()
