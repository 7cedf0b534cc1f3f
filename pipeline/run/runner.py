"""Runs a plan: what is still to do, by which workers, and what crowns the finished data set."""

from __future__ import annotations

import math
import os
from typing import TYPE_CHECKING, Any

from pipeline.dataset.finalize import sweep
from pipeline.lock import alone
from pipeline.run.shard_writer import ShardWriter, Task
from pipeline.run.workers import run_on_ray
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
        sweep(out)
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
            sweep(out)
