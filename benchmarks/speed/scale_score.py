"""Whether scoring stays as it begins: memory over a long run of dh-bench.

Run it on two folders of clips of one name; it prints Markdown. The run goes over links to the pairs
in turn, each under a name of its own. The measurements of the pairs come from the cache after the
first round, so that it takes minutes: the processes still open, read and pass on as much of each
clip as of any other. Memory is read from /proc, so that this needs Linux.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from benchmarks.clips.pairs import find_videos
from benchmarks.scoring.results import read_scores
from benchmarks.scoring.score import ROWS
from benchmarks.speed.report import header, markdown
from benchmarks.speed.scale import look, memory_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.speed.scale import Look

WORKERS = 2


def link_pairs(pairs: Sequence[tuple[Path, Path]], folder: Path, count: int) -> None:
    """Makes `count` links to (real, fake) pairs in turn, in folders `real` and `fake`."""
    for side in ("real", "fake"):
        (folder / side).mkdir(parents=True)
    for k, pair in enumerate(islice(cycle(pairs), count)):
        for side, path in zip(("real", "fake"), pair, strict=True):
            (folder / side / f"clip-{k:07d}{path.suffix}").symlink_to(path.absolute())


def watch(folder: Path, frames: int, every: float, more: Sequence[str] = ()) -> list[Look]:
    """Scores the links in a folder and looks on.

    Args:
        folder: of `link_pairs`; scores.json is written there.
        frames: of each clip, at most.
        every: seconds between two looks.
        more: arguments of dh-bench score.

    Raises:
        RuntimeError: dh-bench failed.
    """
    command = [sys.executable, "-c", "from benchmarks.cli.main import main; main()", "score"]
    command += [f"--{side}={folder / side}" for side in ("real", "fake")]
    command += [f"--out={folder / 'scores.json'}", f"--cache={folder / 'cache'}", *more]
    command += [f"--workers={WORKERS}", f"--max-frames={frames}"]
    looks: list[Look] = []
    done, place = 0, 0
    environment = os.environ | {"TMPDIR": str(folder)}  # where the rows of finished clips appear
    with (folder / "log").open("w") as log:
        run = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, env=environment)
        while run.poll() is None:
            for rows in folder.glob(f"dh-bench-*/{ROWS}"):
                with rows.open("rb") as file:
                    file.seek(place)
                    read = file.read()
                done, place = done + read.count(b"\n"), place + len(read)
            looks.append(look(run.pid, done, "Scorer"))
            time.sleep(every)
    if run.returncode:
        raise RuntimeError(f"{shlex.join(command)} failed:\n{(folder / 'log').read_text()}")
    return looks


def main(
    real: Annotated[Path, typer.Argument(help="Folder of real clips.")],
    fake: Annotated[Path, typer.Argument(help="Folder of fakes, of the same names.")],
    *,
    count: Annotated[int, typer.Option("--clips", min=1, help="Links to score.")] = 10_000,
    frames: Annotated[int, typer.Option(min=16, help="Of each clip.")] = 16,
    metrics: Annotated[str, typer.Option(help="Of dh-bench score.", show_default="all")] = "",
    every: Annotated[float, typer.Option(min=0.1, help="Seconds between looks.")] = 1.0,
) -> None:
    """Prints the memory of the driver and its workers over a long run."""
    fakes = find_videos(fake)
    pairs = [(path, fakes[name]) for name, path in find_videos(real).items() if name in fakes]
    print(header(f"python {shlex.join(sys.argv)}", ["ray", "torch"]))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        link_pairs(pairs, folder, count)
        begin = time.perf_counter()
        looks = watch(folder, frames, every, [f"--metrics={metrics}"])
        seconds = time.perf_counter() - begin
        size = (folder / "scores.json").stat().st_size
        found = read_scores(folder / "scores.json")["metrics"]
    measured = [name for name, row in found.items() if row["mean"] is not None]
    print(f"{count:,} links to {len(pairs)} pairs, {len(looks)} looks, {seconds:.0f} s, ", end="")
    print(f"{WORKERS} workers, load {os.getloadavg()[0]:.1f} at the end; ", end="")
    print(f"scores.json: {size / 1e6:.1f} MB; measured: {', '.join(measured)}\n")
    columns = ["MB, median of looks", "driver", "anonymous", "largest worker", "anonymous"]
    print(markdown([*columns, "everything (Pss)"], memory_rows(looks, count)))


if __name__ == "__main__":
    typer.run(main)
