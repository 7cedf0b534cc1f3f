"""Runs a plan: what is still to do, by which workers, and what crowns the finished data set."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.dataset.plan import About
from pipeline.dataset.sample import SCHEMA_VERSION
from pipeline.dataset.shards import DATASET_FILE
from pipeline.lock import alone
from pipeline.media import FPS
from pipeline.run.shard_writer import ShardWriter, SpeechStatistics, Task
from pipeline.run.workers import run_on_ray
from pipeline.sources.splits import in_several
from pipeline.speech.features import SHAPES
from pipeline.storage import Folder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pipeline.dataset.plan import Shard
    from pipeline.dataset.prep_options import PrepOptions


def pending(out: Folder | Path, shards: Sequence[Shard], *, retry_failed: bool) -> list[Task]:
    """What is still to do: shards that lack a file, and if asked the failed clips of the others."""
    out = Folder.at(out)
    there = set(out.names("shard-*"))
    tasks = []
    for shard in shards:
        files = (f"{shard.name}{suffix}" for suffix in (".tar", ".parquet", ".json"))
        if not there.issuperset(files):
            tasks.append(Task(shard))
        elif retry_failed and out.read_json(f"{shard.name}.json")["failed"]:
            tasks.append(Task(shard, keep=True))
    return tasks


def run_tasks(
    out: Folder | Path,
    tasks: Sequence[Task],
    options: PrepOptions,
    *,
    workers: int | None,
    address: str | None = None,
    weights_dir: Path | None = None,
    clip_minutes: float = math.inf,
) -> Iterator[list[dict[str, Any]]]:
    """Does what is to do and yields the rows of each clip as it ends.

    Args:
        out: the data set's folder, which all workers see.
        tasks: from `pending`.
        options: of the run.
        workers: processes; 0 works in this one, without Ray; None: one for each processor.
        address: of a running Ray cluster; None starts one on this machine.
        weights_dir: the user's folder of pretrained files.
        clip_minutes: after which a worker is stopped and its clip given up; this process by itself
            is not.

    Raises:
        UserError: another run is at work in the folder.
    """
    out = Folder.at(out)
    # Workers of a cluster start elsewhere.
    weights_dir = weights_dir.absolute() if weights_dir else None
    with alone(out.local, "dh-prep"):
        _sweep(out)
        if workers == 0:
            writer = ShardWriter(out, options, weights_dir, os.cpu_count() or 1)
            for task in tasks:
                for said in writer.write(task):
                    if said.rows is not None:
                        yield said.rows
            return
        try:
            yield from run_on_ray(
                out,
                tasks,
                options,
                workers=workers,
                address=address,
                weights_dir=weights_dir,
                clip_minutes=clip_minutes,
            )
        finally:  # an interrupted worker has no time to tidy up
            _sweep(out)


def _sweep(out: Folder) -> None:
    """Removes what killed processes left half written; object stores keep no halves."""
    if out.local is not None:
        for name in out.names(".shard-*.tmp.*"):
            out.remove(name)


def finish(
    out: Folder | Path, shards: Sequence[Shard], options: PrepOptions, about: About | None = None
) -> dict[str, Any]:
    """Writes `dataset.json` once every shard is marked, and returns it."""
    names = [shard.name for shard in shards]
    return conclude(Folder.at(out), names, options.as_json(), about or About())


def conclude(
    out: Folder, names: Sequence[str], options: dict[str, Any], about: About
) -> dict[str, Any]:
    """Writes `dataset.json` from the marks of the shards of these names, and returns it."""
    _sweep(out)  # nothing may have been left to do, and yet halves lie there
    marks = [json.loads(data) for data in out.read_many([f"{n}.json" for n in names]).values()]
    shape = SHAPES[options["speech"]]
    total = SpeechStatistics(shape.coefficients)
    splits: dict[str, set[str]] = {}
    for mark in marks:
        total.merge(mark.pop("speech"))
        splits.setdefault(mark["split"], set()).update(mark.pop("speakers"))
    mean = total.sum / max(total.count, 1)
    deviation = np.sqrt(np.maximum(total.squares / max(total.count, 1) - mean**2, 0))
    counted = {
        name: sum(mark[name] for mark in marks) for name in ("inputs", "clips", "samples", "frames")
    }
    failed = sum(mark["failed"] for mark in marks)
    dataset = {
        "schema_version": SCHEMA_VERSION,
        "source": about.source,
        "licence": about.licence,
        "options": options,
        "counts": {
            **counted,
            "failed": failed,
            "skipped": counted["clips"] - counted["samples"] - failed,
            "hours": round(counted["frames"] / FPS / 3600, 4),
        },
        "speakers": {
            **{split: len(speakers) for split, speakers in sorted(splits.items())},
            "in_several_splits": in_several(splits),
        },
        "speech": {
            "name": options["speech"],
            "encoder": options.get("speech_encoder", ""),
            "dim": shape.dim,
            "steps": shape.steps,
            "coefficients": shape.coefficients,
            "mean": np.round(mean, 5).tolist(),
            "std": np.round(deviation, 5).tolist(),
        },
        "shards": marks,
    }
    out.write_json(DATASET_FILE, dataset)
    return dataset
