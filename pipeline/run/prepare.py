"""A preparation from beginning to end: what `dh-prep run` does, without its terminal."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.dataset import plan
from pipeline.dataset.align_sound import align_sound
from pipeline.dataset.finalize import finish
from pipeline.dataset.pages.data_card import write_card
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.rows import read_rows
from pipeline.files import printable
from pipeline.run.runner import pending, run_tasks
from pipeline.run.shard_writer import encoder_digest, fetch_weights
from pipeline.run.summary import write_report
from pipeline.run.work_options import WorkOptions
from pipeline.sources.manifest import read_input
from pipeline.storage import Folder


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
) -> tuple[list[plan.Shard], PrepOptions]:
    """Plans a run and claims its folder; the options come back with the speech encoder's SHA-256.

    `dry` only looks whether the folder can be used.
    """
    options = replace(options, speech_encoder=encoder_digest(options.speech, weights_dir))
    shards = plan.plan_shards(read_input(source), options.clips_per_shard)
    if options.cuts == "split":
        plan.refuse_shot_keys(shards)
    if not dry and not folder.exists(plan.PLAN_FILE):
        fetch_weights(options, weights_dir)  # before the folder is begun
    plan.claim(folder, shards, options, source=printable(source), licence=licence, dry=dry)
    return shards, options


def conclude(
    folder: Folder, shards: list[plan.Shard], options: PrepOptions
) -> tuple[dict[str, Any], pd.DataFrame]:
    """Writes dataset.json, report and card of done shards; gives dataset.json and the rows."""
    names = [shard.name for shard in shards]
    if options.align_sound != "off":
        align_sound(folder, names, options)
    dataset, rows = finish(folder, names, options.as_json()), read_rows(folder)
    write_report(folder, rows)
    write_card(folder, dataset, rows)
    return dataset, rows
