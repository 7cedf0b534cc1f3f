"""dh-prep run: from raw clips to shards."""

import shlex
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pipeline.command_options import dataclass_options
from pipeline.dataset.prep_options import PrepOptions
from pipeline.progress import progress
from pipeline.storage import Folder

_WORK = "The work"

WeightsDir = Annotated[
    Path | None,
    typer.Option(
        help="Your own folder of pretrained files; without it DH_WEIGHTS, then the cache folder, "
        "then the network.",
        show_default=False,
        rich_help_panel="Where things are",
    ),
]


@dataclass_options
def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="A folder of videos, a glob in quotes, one video, or a manifest CSV "
            "(clip_id,path,speaker,split[,start,end]); a path, or a URL such as s3://bucket/videos.",
        ),
    ],
    *,
    out: Annotated[
        str, typer.Option(help="Folder of the data set, new or to be continued; a path or URL.")
    ],
    options: PrepOptions,
    licence: Annotated[
        str,
        typer.Option(
            help="Under which the clips may be used, for the data card.",
            show_default=False,
            rich_help_panel="The samples",
        ),
    ] = "",
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Processes; 0 works in this one, without Ray.",
            show_default="number of cores",
            rich_help_panel=_WORK,
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="Of a running Ray cluster whose machines all see INPUT and DIR.",
            show_default="RAY_ADDRESS, or this machine",
            rich_help_panel=_WORK,
        ),
    ] = None,
    retry: Annotated[
        Literal["failed"] | None,
        typer.Option(
            help="Prepare clips that failed once more; the others stay as they are.",
            show_default=False,
            rich_help_panel=_WORK,
        ),
    ] = None,
    clip_minutes: Annotated[
        float,
        typer.Option(
            min=0.01,
            help="Most minutes for one clip; then its worker is stopped and the clip is given up.",
            rich_help_panel=_WORK,
        ),
    ] = 60,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what would be done and about how long it takes, and stop.",
            rich_help_panel=_WORK,
        ),
    ] = False,
    weights_dir: WeightsDir = None,
) -> None:
    """Turn videos into a data set of shards.

    Interrupted, the same command carries on. Exit code 0: done; 1: some clips failed (they are
    named), or not one is left; 2: wrong use.
    """
    from pipeline.dataset.plan import PLAN_FILE
    from pipeline.run.prepare import begin, conclude
    from pipeline.run.runner import pending, run_tasks
    from pipeline.run.summary import Reasons, describe_plan, note_speakers, say
    from pipeline.storage import Folder

    # What is to do.
    folder = Folder.at(out)
    begun = folder.exists(PLAN_FILE)
    shards, options, about = begin(
        source, folder, options, weights_dir, licence=licence, dry=dry_run
    )
    tasks = pending(folder, shards, retry_failed=retry is not None)
    if dry_run:
        describe_plan(shards, tasks, options, folder, workers=workers, weights_dir=weights_dir)
        return
    note_speakers(row for shard in shards for row in shard.rows)
    if not tasks:
        say(f"nothing to do: all {len(shards)} shards in {out} were already done")
    elif begun:
        say(f"carrying on: {len(shards) - len(tasks)} of {len(shards)} shards are done")

    # The clips, one after another, and why some are left out.
    if tasks:
        reasons = Reasons()
        with progress("clips", sum(len(task.shard.rows) for task in tasks)) as step:
            for rows in run_tasks(
                folder,
                tasks,
                options,
                workers=workers,
                address=address,
                weights_dir=weights_dir,
                clip_minutes=clip_minutes,
            ):
                reasons.add(rows)
                step(str(reasons))

    # The data set as a whole.
    dataset, table = conclude(folder, shards, options, about)
    _report(folder, dataset, table)


def _report(out: Folder, dataset: dict[str, Any], rows: Any) -> None:
    """Prints what is in the data set and what to do next; exit code 1 if clips failed."""
    from pipeline.run.summary import describe_dataset, say

    describe_dataset(out, dataset, rows)
    counts = dataset["counts"]
    if not counts["samples"]:
        say("not one clip made it into the data set: there is nothing to train with")
        raise typer.Exit(1)
    quoted = shlex.quote(str(out))
    if counts["failed"]:
        say("next     the same command with --retry failed, or go on without the failed clips:")
    say(f"next     dh-prep inspect {quoted} --out page.html")
    say(f"         dh-train --data {quoted} --out RUN --preset tiny")
    if counts["failed"]:
        raise typer.Exit(1)
