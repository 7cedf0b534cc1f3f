"""dh-prep run: from raw clips to shards."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli.limit_options import with_limits
from pipeline.dataset.limits import Limits
from pipeline.dataset.prep_options import Cuts, Landmarks, PrepOptions
from pipeline.errors import UserError
from pipeline.files import printable
from pipeline.progress import progress
from pipeline.speech.features import Speech

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from pipeline.dataset.plan import About, Shard
    from pipeline.storage import Folder

# Spelled out again so that --help need not import what it comes from; mypy and a test hold it to
# pipeline.alignment.Smoothing.
Smoothing = Literal["authors", "gaussian", "clip", "none"]

_SAMPLES, _WORK = "The samples", "The work"

WeightsDir = Annotated[
    Path | None,
    typer.Option(
        help="Your own folder of pretrained files; without it DH_WEIGHTS, then the cache folder, "
        "then the network.",
        show_default=False,
        rich_help_panel="Where things are",
    ),
]


@with_limits
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
    limits: Limits,
    out: Annotated[
        str, typer.Option(help="Folder of the data set, new or to be continued; a path or URL.")
    ],
    image_size: Annotated[
        int,
        typer.Option(
            help="Side of the crops in pixels, a multiple of 8.", rich_help_panel=_SAMPLES
        ),
    ] = PrepOptions.image_size,
    landmarks: Annotated[
        Landmarks,
        typer.Option(
            help="What finds the face: mediapipe, or fan (S3FD and FAN, the paper's, for a GPU).",
            rich_help_panel=_SAMPLES,
        ),
    ] = PrepOptions.landmarks,
    speech: Annotated[
        Speech,
        typer.Option(
            help="Speech features: mfcc, or released (the authors' speech encoder, which you "
            "download: dh-prep doctor says where).",
            rich_help_panel=_SAMPLES,
        ),
    ] = PrepOptions.speech,
    smoothing: Annotated[
        Smoothing,
        typer.Option(
            help="Of the alignment over time: authors (mean of 7 frames), gaussian (centred), "
            "clip (one for the whole clip: the head moves), none.",
            rich_help_panel=_SAMPLES,
        ),
    ] = PrepOptions.smoothing,
    cuts: Annotated[
        Cuts,
        typer.Option(
            help="Of a clip with scene cuts, or whose face goes away: keep the longest stretch, "
            "split it into a sample for each, or drop a clip with a cut.",
            rich_help_panel=_SAMPLES,
        ),
    ] = PrepOptions.cuts,
    clips_per_shard: Annotated[
        int, typer.Option(min=1, help="Clips that share a tar.", rich_help_panel=_SAMPLES)
    ] = PrepOptions.clips_per_shard,
    licence: Annotated[
        str,
        typer.Option(
            help="Under which the clips may be used, for the data card.",
            show_default=False,
            rich_help_panel=_SAMPLES,
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
    from pipeline.dataset import plan
    from pipeline.run.runner import pending
    from pipeline.run.shard_writer import encoder_digest, fetch_weights
    from pipeline.run.summary import describe_plan, note_speakers, say
    from pipeline.sources.manifest import read_input
    from pipeline.storage import Folder

    if image_size <= 0 or image_size % 8:
        raise UserError(f"--image-size {image_size} is not a positive multiple of 8")
    options = PrepOptions(
        image_size=image_size,
        landmarks=landmarks,
        speech=speech,
        speech_encoder=encoder_digest(speech, weights_dir),
        smoothing=smoothing,
        clips_per_shard=clips_per_shard,
        cuts=cuts,
        limits=limits,
    )
    folder = Folder.at(out)
    shards = plan.plan_shards(read_input(source), clips_per_shard)
    if cuts == "split":
        plan.refuse_shot_keys(shards)
    begun = folder.exists(plan.PLAN_FILE)
    if not begun and not dry_run:
        fetch_weights(options, weights_dir)  # what is missing is told before the folder is begun
    about = plan.About(printable(source), licence)
    about = plan.claim(folder, shards, options, about, dry=dry_run)
    tasks = pending(folder, shards, retry_failed=retry is not None)
    if dry_run:
        describe_plan(shards, tasks, options, folder, workers=workers, weights_dir=weights_dir)
        return
    note_speakers(row for shard in shards for row in shard.rows)
    if begun and tasks:
        say(f"carrying on: {len(shards) - len(tasks)} of {len(shards)} shards are done")
    if tasks:
        from pipeline.run.runner import run_tasks

        total = sum(len(task.shard.rows) for task in tasks)
        _show(
            run_tasks(
                folder,
                tasks,
                options,
                workers=workers,
                address=address,
                weights_dir=weights_dir,
                clip_minutes=clip_minutes,
            ),
            total,
        )
    else:
        say(f"nothing to do: all {len(shards)} shards in {out} were already done")
    _conclude(folder, shards, options, about)


def _show(ended: Iterator[list[dict[str, Any]]], total: int) -> None:
    """Shows clips ending, and why some are left out."""
    from pipeline.run.summary import Reasons

    reasons = Reasons()
    with progress("clips", total) as step:
        for rows in ended:
            reasons.add(rows)
            step(str(reasons))


def _conclude(out: Folder, shards: Iterable[Shard], options: PrepOptions, about: About) -> None:
    """Writes what crowns the data set, tells what is in it, and ends with 1 if clips failed."""
    from pipeline.dataset.card import write_card
    from pipeline.dataset.finalize import finish
    from pipeline.dataset.rows import read_rows
    from pipeline.run.summary import describe_dataset, say, write_report

    dataset, rows = finish(out, list(shards), options, about), read_rows(out)
    write_report(out, rows)
    write_card(out, dataset, rows)
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
