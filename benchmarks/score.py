"""From two folders of clips to numbers over the set.

The protocol is the first version's table: frame k of the fake against frame k of the real clip,
averaged over the frames of a clip, then over clips.
"""

from __future__ import annotations

import os
import platform
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from benchmarks.aggregate import SetStatistics
from benchmarks.cache import MeasurementCache
from benchmarks.clips import chosen_split, match_folders
from benchmarks.metrics.catalogue import choose
from benchmarks.options import ScoreOptions
from benchmarks.results import SCHEMA_VERSION
from benchmarks.scorer import Job, networks_for, run_jobs
from pipeline.media import FPS
from pipeline.progress import progress
from pipeline.shards import DATASET_FILE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from benchmarks.clips import Matches
    from benchmarks.results import ClipRow, Scores, Source

_FEWEST = 4  # clips a worker, below which another one is not worth its start


def score(
    real: Path,
    fake: Path,
    options: ScoreOptions | None = None,
    read_lips: Callable[[Path], str] | None = None,
) -> Scores:
    """Scores the fakes in one folder against the real clips in another.

    Args:
        real: a folder of videos, or a data set of dh-prep.
        fake: a folder of videos, called like the clips they imitate.
        options: what to compare, and how.
        read_lips: a lip reader for WER, from the path of a video to the words it sees; None takes
            the command in the options, if there is one.

    Raises:
        UserError: nothing to compare. A clip that cannot be compared is a row with a reason.
    """
    options = options or ScoreOptions()
    metrics = choose(options.metrics)
    split = chosen_split(real, options.split)
    matches = match_folders(real, fake, split)
    networks = networks_for(metrics, options)  # fetched here once, and not by every worker
    rows: list[ClipRow] = []
    sources: dict[str, Source] = {}
    with (
        tempfile.TemporaryDirectory(prefix="dh-bench-") as folder,
        progress("clips", len(matches.fakes)) as step,
    ):
        cache = options.cache or Path(folder)
        statistics = SetStatistics(metrics, MeasurementCache(cache))
        jobs = make_jobs(matches, packed=(real / DATASET_FILE).exists())
        workers = _workers(options.workers, len(jobs), len(matches.fakes))
        for source, clip in run_jobs(jobs, metrics, options, cache, workers, read_lips):
            clip_id = clip.row["clip_id"]
            statistics.add(clip)
            rows.append(clip.row)
            sources[clip_id] = {"real": source, "fake": str(matches.fakes[clip_id])}
            step()
        numbers = statistics.rows()
        measured = [name for name, row in numbers.items() if row["mean"] is not None]
        return {
            "schema_version": SCHEMA_VERSION,
            "method": options.method or fake.resolve().name,
            "dataset": options.dataset or real.resolve().name,
            "real": str(real),
            "fake": str(fake),
            "split": split,
            "protocol": describe_protocol(rows, options),
            "options": options.as_json(),
            "software": _software(),
            "weights": networks.digests(measured),
            "metrics": numbers,
            "unmatched": matches.unmatched,
            "sources": sources,
            "clips": rows,
        }


def make_jobs(matches: Matches, *, packed: bool) -> list[Job]:
    """The clips that have a fake, in portions: those of a shard together, since it is read once."""
    portions: dict[str, dict[str, Path]] = {}
    for clip_id, fake in matches.fakes.items():
        portions.setdefault(matches.sources[clip_id], {})[clip_id] = fake
    return [Job(source, packed, fakes) for source, fakes in portions.items()]


def _workers(wanted: int | None, jobs: int, clips: int) -> int:
    most = wanted or min(os.cpu_count() or 1, clips // _FEWEST)
    return max(1, min(most, jobs))


def describe_protocol(rows: Sequence[ClipRow], options: ScoreOptions) -> str:
    """How the frames were paired and at which size, in a sentence for footnotes."""
    done = [row for row in rows if row["status"] == "ok"]
    span = f"the first {options.max_frames} frames" if options.max_frames else "all frames"
    parts = [
        f"frame k against frame k at {FPS} fps, {span} of a clip",
        "mean over frames, then clips",
    ]
    if done:
        parts.append(f"compared at {_listed(row['size_compared'] for row in done)}")
    resized = {
        "real": _resized(done, "size_real"),
        "fake": _resized(done, "size_fake"),
    }
    parts += [
        f"{side} frames resized from {_listed(sizes)}" for side, sizes in resized.items() if sizes
    ]
    if any(resized.values()):
        parts.append("cv2.INTER_AREA down, cv2.INTER_CUBIC up")
    return "; ".join(parts)


def _resized(rows: Sequence[ClipRow], side: Literal["size_real", "size_fake"]) -> list[str]:
    return [row[side] for row in rows if row[side] != row["size_compared"]]


def _listed(sizes: Iterable[str]) -> str:
    names = sorted(set(sizes))
    more = f" and {len(names) - 3} other sizes" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _software() -> dict[str, str]:
    packages = ("diffused-heads", "numpy", "opencv-python", "av", "torch", "scipy")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
