"""Runs a plan: which shards are still to be written, and writes them, by Ray or in this process."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pipeline.dataset.finalize import remove_leftovers
from pipeline.dataset.plan import Shard
from pipeline.dataset.prep_options import PrepOptions
from pipeline.lock import exclusive
from pipeline.parallel.tasks import run_on_ray
from pipeline.run.attempts import Journal
from pipeline.run.shard_writer import ShardTask, ShardWriter
from pipeline.run.work_options import WorkOptions
from pipeline.storage import Folder

# In a Ray process, memory grows by some 5 % over a thousand clips (it does not without Ray); a new
# process costs a second or two.
_CLIPS_PER_PROCESS = 1000


def pending(out: Folder | Path, shards: Sequence[Shard], *, retry_failed: bool) -> list[ShardTask]:
    """What is still to do: shards that lack a file, and if asked the failed clips of the others."""
    out = Folder.at(out)
    there = set(out.names("shard-*"))
    tasks = []
    for shard in shards:
        files = (f"{shard.name}{suffix}" for suffix in (".tar", ".parquet", ".json"))
        if not there.issuperset(files):
            tasks.append(ShardTask(shard))
        elif retry_failed and out.read_json(f"{shard.name}.json")["failed"]:
            tasks.append(ShardTask(shard, keep=True))
    return tasks


def run_tasks(
    out: Folder | Path, tasks: Sequence[ShardTask], options: PrepOptions, work: WorkOptions
) -> Iterator[list[dict[str, Any]]]:
    """Does what is to do and yields the rows of each clip as it ends; see `prepare`.

    Without Ray (`workers` 0) no clip is given up.
    """
    out = Folder.at(out).absolute()
    weights_dir = work.weights_dir.absolute() if work.weights_dir else None
    with exclusive(out.local, "dh-prep"):
        remove_leftovers(out)
        if work.workers == 0:
            write_shard = ShardWriter(out, options, weights_dir, None, os.cpu_count() or 1)
            for task in tasks:
                yield from write_shard(task)
            return
        try:
            for _, rows in run_on_ray(
                ShardWriter,
                (out, options, weights_dir, work.clip_minutes),
                tasks,
                workers=work.workers,
                address=work.address,
                gpu=options.landmarks == "fan",
                retries=Journal.retries(options.clips_per_shard),
                jobs_per_process=-(-_CLIPS_PER_PROCESS // options.clips_per_shard),
            ):
                yield rows
        finally:  # an interrupted worker has no time to tidy up
            remove_leftovers(out)
