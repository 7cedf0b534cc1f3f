"""dh-prep: from raw clips to shards, on the command line."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from pipeline.errors import UserError, run_command
from pipeline.options import PrepOptions
from pipeline.progress import progress

if TYPE_CHECKING:
    from pipeline.plan import Shard

# Spelled out again so that --help need not import what they come from; mypy and a test hold them
# to pipeline.manifest.Layout and pipeline.alignment.Smoothing.
Layout = Literal["folder", "crema", "lrw", "grid", "voxceleb", "hdtf"]
Smoothing = Literal["authors", "gaussian", "clip", "none"]

app = typer.Typer(
    help="Prepare talking-head videos for training: find the face, align it, cut it out, compute "
    "speech features, and write WebDataset shards.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

WeightsDir = Annotated[
    Path | None,
    typer.Option(
        help="Your own folder of pretrained files; without it DH_WEIGHTS, then the cache folder, "
        "then the network.",
        show_default=False,
        rich_help_panel="Where things are",
    ),
]
DataFolder = Annotated[
    Path, typer.Argument(metavar="DIR", help="A data set that dh-prep run made.")
]


@app.command()
def run(
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT",
            help="A folder of videos, a glob in quotes, one video, or a manifest CSV "
            "(clip_id,path,speaker,split[,start,end]).",
        ),
    ],
    *,
    out: Annotated[Path, typer.Option(help="Folder of the data set; new, or to be continued.")],
    image_size: Annotated[
        int,
        typer.Option(
            help="Side of the crops in pixels, a multiple of 8.", rich_help_panel="The samples"
        ),
    ] = PrepOptions.image_size,
    landmarks: Annotated[
        Literal["mediapipe"],
        typer.Option(help="What finds the face.", rich_help_panel="The samples"),
    ] = PrepOptions.landmarks,
    speech: Annotated[
        Literal["mfcc"], typer.Option(help="Speech features.", rich_help_panel="The samples")
    ] = PrepOptions.speech,
    smoothing: Annotated[
        Smoothing,
        typer.Option(
            help="Of the alignment over time: authors (mean of 7 frames), gaussian (centred), "
            "clip (one for the whole clip: the head moves), none.",
            rich_help_panel="The samples",
        ),
    ] = PrepOptions.smoothing,
    min_seconds: Annotated[
        float,
        typer.Option(
            min=0,
            help="Clips whose face is in view for less are skipped.",
            rich_help_panel="The samples",
        ),
    ] = PrepOptions.min_seconds,
    clips_per_shard: Annotated[
        int, typer.Option(min=1, help="Clips that share a tar.", rich_help_panel="The samples")
    ] = PrepOptions.clips_per_shard,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Processes; 0 works in this one, without Ray.",
            show_default="number of cores",
            rich_help_panel="The work",
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="Of a running Ray cluster whose machines all see INPUT and DIR.",
            show_default="this machine",
            rich_help_panel="The work",
        ),
    ] = None,
    retry: Annotated[
        Literal["failed"] | None,
        typer.Option(
            help="Do shards that are done but hold failed clips once more.",
            show_default=False,
            rich_help_panel="The work",
        ),
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Say what would be done, and stop.", rich_help_panel="The work"
        ),
    ] = False,
    weights_dir: WeightsDir = None,
) -> None:
    """Turn videos into a data set of shards.

    Interrupted, the same command carries on. Exit code 0: done; 1: some clips failed (they are
    named), or not one is left; 2: wrong use.
    """
    from pipeline import plan
    from pipeline.manifest import read_input
    from pipeline.run import fetch_weights, pending
    from pipeline.summary import describe_plan, say

    if image_size <= 0 or image_size % 8:
        raise UserError(f"--image-size {image_size} is not a positive multiple of 8")
    options = PrepOptions(
        image_size=image_size,
        landmarks=landmarks,
        speech=speech,
        smoothing=smoothing,
        clips_per_shard=clips_per_shard,
        min_seconds=min_seconds,
    )
    shards = plan.plan_shards(read_input(source), clips_per_shard)
    begun = (out / plan.PLAN_FILE).exists()
    if not begun and not dry_run:
        fetch_weights(options, weights_dir)  # what is missing is told before the folder is begun
    if begun or not dry_run:
        plan.claim(out, shards, options)
    todo = pending(out, shards, retry_failed=retry is not None)
    workers = (os.cpu_count() or 1) if workers is None else workers
    if dry_run:
        how = {
            "stages": f"decode, landmarks ({landmarks}), align ({image_size} x {image_size}, "
            f"smoothing {smoothing}), speech ({speech})",
            "workers": str(min(workers, len(todo))) if workers else "in this process",
            "out": str(out),
        }
        describe_plan(shards, todo, how)
        return
    if begun and todo:
        say(f"carrying on: {len(shards) - len(todo)} of {len(shards)} shards are done")
    if todo:
        _prepare(out, todo, options, workers=workers, address=address, weights_dir=weights_dir)
    else:
        say(f"nothing to do: all {len(shards)} shards in {out} were already done")
    _conclude(out, shards, options)


def _prepare(out: Path, todo: list[Shard], options: PrepOptions, **how: Any) -> None:
    """Runs the shards that are to do, with a progress bar."""
    from pipeline.run import run_shards

    failed = 0
    with progress("clips", sum(len(shard.rows) for shard in todo)) as step:
        for row in run_shards(out, todo, options, **how):
            failed += row["status"] == "failed"
            step(f"{failed} failed")


def _conclude(out: Path, shards: list[Shard], options: PrepOptions) -> None:
    """Writes what crowns the data set, tells what is in it, and ends with 1 if clips failed."""
    from pipeline.run import finish, read_rows
    from pipeline.summary import describe_dataset, say, write_report

    dataset, rows = finish(out, shards, options), read_rows(out)
    write_report(out, rows)
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


@app.command()
def manifest(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the videos lie.")],
    layout: Annotated[
        Layout, typer.Option(help="The data set whose paths tell speaker and split.")
    ],
    out: Annotated[Path, typer.Option(help="The CSV to write.")] = Path("manifest.csv"),
) -> None:
    """List a data set's videos with speaker and split, for dh-prep run.

    crema: the authors' ten test actors; lrw: its own splits; grid: of each speaker every tenth
    sentence is test; voxceleb: a folder test is test; hdtf: all train; folder: about a tenth is
    test, told by a hash of the name.
    """
    from pipeline.manifest import scan, write_manifest
    from pipeline.summary import by_split, say, table

    if out.exists():
        raise UserError(f"{out} is there already, perhaps edited; name another with --out")
    rows = scan(folder, layout)
    write_manifest(out, rows)
    counts = by_split(rows)
    speakers = len({row.speaker for row in rows} - {""})
    table("", ("split", "clips", "speakers"), [*counts, ("all", len(rows), speakers)])
    say(f"written  {out}")
    say(f"next     dh-prep run {shlex.quote(str(out))} --out DIR")


@app.command()
def check(folder: DataFolder) -> None:
    """Validate a data set against the whole contract.

    Every file, digest, row and sample is read. Exit code 0: it holds; 1: it does not, and every
    problem is named; 2: no data set.
    """
    from pipeline.check import check_dataset
    from pipeline.summary import say

    verdict = check_dataset(folder)
    for problem in verdict.problems:
        say(problem)
    if verdict.problems:
        say(f"{folder}: {len(verdict.problems)} problems")
        raise typer.Exit(1)
    say(
        f"{folder} keeps the contract: {verdict.shards} shards, {verdict.clips} clips, "
        f"{verdict.samples} samples, {verdict.frames} frames"
    )


@app.command()
def inspect(
    folder: DataFolder,
    out: Annotated[Path, typer.Option(help="The page to write.")] = Path("page.html"),
    clips: Annotated[
        int,
        typer.Option(
            min=0, help="Clips to show: the extremes of each measure, the others chosen evenly."
        ),
    ] = 60,
) -> None:
    """Make one HTML page to look a data set over.

    Faces with their mouth boxes, mouth opening over loudness, what was dropped and why, and how
    length, face size, pose, loudness and mouth movement are distributed.
    """
    from pipeline.inspection import write_page
    from pipeline.summary import say, size_text

    if out.is_dir():
        raise UserError(f"{out} is a folder; name an HTML file with --out")
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"{out} is no name for a page; end --out in .html")
    shown = write_page(folder, out, limit=clips)
    say(f"written  {out} ({shown} clips shown, {size_text(out.stat().st_size)}); open in a browser")


@app.command()
def doctor(
    fetch: Annotated[
        bool, typer.Option("--fetch", help="Fetch the pretrained files that are missing.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    weights_dir: WeightsDir = None,
) -> None:
    """Say what this machine has and what it lacks.

    Exit code 0: all that is needed is there; 1: something is missing, with the remedy.
    """
    from pipeline.doctor import as_json, examine, show

    findings = examine(weights_dir, fetch=fetch)
    if json:
        print(as_json(findings))
    else:
        show(findings)
    if any(finding.status == "missing" for finding in findings):
        raise typer.Exit(1)


@app.command()
def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder for the videos; new or empty.")],
    # The defaults are those of DemoOptions; a test holds them together.
    clips: Annotated[int, typer.Option(help="Videos to make, two at least.")] = 16,
    people: Annotated[int, typer.Option(help="Different faces, four at most.")] = 4,
    size: Annotated[int, typer.Option(help="Side of the videos in pixels, even.")] = 320,
    seed: Annotated[int, typer.Option(help="Other numbers give other clips.")] = 0,
    weights_dir: WeightsDir = None,
) -> None:
    """Make synthetic talking heads with sound, for a machine that has no data.

    With a truth file: mouth opening, blinks and offset of every frame.
    """
    from pipeline.demo import DemoOptions, make_demo
    from pipeline.summary import say

    options = DemoOptions(clips=clips, people=people, size=size, seed=seed, weights_dir=weights_dir)
    with progress("clips", clips) as step:
        made = make_demo(out, options, lambda _done, _total: step())
    say(f"written  {made}")
    say(f"next     dh-prep run {shlex.quote(str(made))} --out DIR")


def main() -> None:
    """The command line; a `UserError` becomes one sentence and exit code 2."""
    run_command(app)
