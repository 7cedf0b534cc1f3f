"""dh-prep run: from raw clips to shards."""

import shlex
from typing import Annotated

import typer

from pipeline.command_options import dataclass_options
from pipeline.dataset.prep_options import PrepOptions
from pipeline.progress import progress
from pipeline.run.work_options import WorkOptions
from pipeline.storage import Folder


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
    work: WorkOptions,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Say what would be done and about how long it takes, and stop.",
            rich_help_panel="The work",
        ),
    ] = False,
) -> None:
    """Turn videos into a data set of shards.

    Interrupted, the same command carries on. Exit code 0: done; 1: some clips failed (they are
    named), or not one is left; 2: wrong use.
    """
    from pipeline.dataset.plan import PLAN_FILE
    from pipeline.run.prepare import begin, conclude, pending, run_tasks
    from pipeline.run.summary import Reasons, describe_dataset, describe_plan, note_speakers, say

    # What is to do.
    folder = Folder.at(out)
    begun = folder.exists(PLAN_FILE)
    shards, options = begin(source, folder, options, work.weights_dir, licence, dry=dry_run)
    tasks = pending(folder, shards, retry_failed=work.retry is not None)
    if dry_run:
        describe_plan(shards, tasks, options, folder, work)
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
            for rows in run_tasks(folder, tasks, options, work):
                reasons.add(rows)
                step(str(reasons))

    # What is in the data set, and what to do next.
    dataset, table = conclude(folder, shards, options)
    describe_dataset(folder, dataset, table)
    counts, quoted = dataset["counts"], shlex.quote(str(folder))
    if not counts["samples"]:
        say("not one clip made it into the data set: there is nothing to train with")
        raise typer.Exit(1)
    if counts["failed"]:
        say("next     the same command with --retry failed, or go on without the failed clips:")
    say(f"next     dh-prep inspect {quoted} --out page.html")
    say(f"         dh-train --data {quoted} --out RUN --preset tiny")
    if counts["failed"]:
        raise typer.Exit(1)
