"""A preparation from beginning to end: what `dh-prep run` does, without its terminal."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.dataset.align_sound import align_sound
from pipeline.dataset.finalize import finish, remove_leftovers
from pipeline.dataset.pages.data_card import write_card
from pipeline.dataset.plan import PLAN_FILE, Shard, claim, plan_shards, refuse_shot_keys
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.rows import read_rows
from pipeline.files import printable
from pipeline.lock import exclusive
from pipeline.parallel.tasks import run_on_ray
from pipeline.run.attempts import Journal
from pipeline.run.shard_writer import ShardTask, ShardWriter, encoder_digest, fetch_weights
from pipeline.run.summary import write_report
from pipeline.run.work_options import WorkOptions
from pipeline.sources.manifest import read_input
from pipeline.storage import Folder

# In a Ray process, memory grows by some 5 % over a thousand clips (it does not without Ray); a new
# process costs a second or two.
_CLIPS_PER_PROCESS = 1000


def prepare(
    source: Path | str,
    out: Path | str,
    options: PrepOptions | None = None,
    *,
    workers: int | None = None,
    address: str | None = None,
    retry_failed: bool = False,
    weights_dir: Path | str | None = None,
    clip_minutes: float = 60,
) -> pd.DataFrame:
    """Turns videos into a data set of WebDataset shards; interrupted, the same call carries on.

    Args:
        source: a folder of videos, a glob pattern, one video, or a manifest CSV; a path or a URL.
        out: folder of the data set, new or to be continued; a path or a URL.
        options: what shapes and chooses the samples; None takes the defaults of `dh-prep run`.
        workers: processes; 0 works in this one, without Ray; None: one for each processor.
        address: of a running Ray cluster; None starts one on this machine.
        retry_failed: prepare the clips that failed once more.
        weights_dir: your folder of pretrained files.
        clip_minutes: that one clip may take until it is given up.

    Returns:
        A row a clip, see `pipeline.dataset.columns`: `status` is ok, skipped or failed, `reason`
        says why, the other columns hold what was measured.

    Raises:
        UserError: nothing to prepare, or `out` cannot be used.
    """
    weights = Path(weights_dir) if weights_dir else None
    work = WorkOptions(workers, address, "failed" if retry_failed else None, clip_minutes, weights)
    folder = Folder.at(out)
    shards, options = begin(str(source), folder, options or PrepOptions(), weights)
    tasks = pending(folder, shards, retry_failed=retry_failed)
    for _ in run_tasks(folder, tasks, options, work):
        pass
    return conclude(folder, shards, options)[1]


def begin(
    source: str,
    folder: Folder,
    options: PrepOptions,
    weights_dir: Path | None,
    licence: str = "",
    *,
    dry: bool = False,
) -> tuple[list[Shard], PrepOptions]:
    """Plans a run and claims its folder; the options come back with the speech encoder's SHA-256.

    `dry` only looks whether the folder can be used.
    """
    options = replace(options, speech_encoder=encoder_digest(options.speech, weights_dir))
    shards = plan_shards(read_input(source), options.clips_per_shard)
    if options.cuts == "split":
        refuse_shot_keys(shards)
    if not dry and not folder.exists(PLAN_FILE):
        fetch_weights(options, weights_dir)  # before the folder is begun
    claim(folder, shards, options, source=printable(source), licence=licence, dry=dry)
    return shards, options


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


def conclude(
    folder: Folder, shards: list[Shard], options: PrepOptions
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Writes dataset.json, report and card of done shards; gives dataset.json and the rows."""
    names = [shard.name for shard in shards]
    if options.align_sound != "off":
        align_sound(folder, names, options)
    dataset, rows = finish(folder, names, options.as_json()), read_rows(folder)
    write_report(folder, rows)
    write_card(folder, dataset, rows)
    return dataset, rows
