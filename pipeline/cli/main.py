"""dh-prep: from raw clips to shards, on the command line."""

import shlex
import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli.run import run
from pipeline.command_options import dataclass_options
from pipeline.dataset.limits import Limits
from pipeline.errors import UserError, run_command
from pipeline.progress import progress
from pipeline.run.work_options import WeightsDir
from pipeline.sources.layouts import Layout
from pipeline.sources.manifest import ManifestRow
from pipeline.talkers.demo_options import DemoOptions

app = typer.Typer(
    help="Prepare talking-head videos for training: find the face, align it, cut it out, compute "
    "speech features, and write WebDataset shards.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="markdown",  # paragraphs flow to the terminal's width
    context_settings={"help_option_names": ["-h", "--help"]},
)

DataFolder = Annotated[
    str, typer.Argument(metavar="DIR", help="A data set that dh-prep run made; a path or URL.")
]


app.command()(run)


@app.command()
def manifest(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="Where the videos lie; a path or URL.")
    ],
    layout: Annotated[
        Layout, typer.Option(help="The data set whose paths tell speaker and split.")
    ],
    *,
    out: Annotated[Path, typer.Option(help="The CSV to write.")] = Path("manifest.csv"),
    split_by: Annotated[
        Literal["layout", "speaker", "face"],
        typer.Option(
            help="What decides the split: the layout; the speaker column, nobody in two splits; or "
            "the faces themselves, for clips without names of speakers (extra csim)."
        ),
    ] = "layout",
    test: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the clips in test, by speaker or face.")
    ] = 0.1,
    val: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the clips in val, by speaker or face.")
    ] = 0.0,
    workers: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Processes that look at faces; 0 works in this one.",
            show_default="number of cores",
        ),
    ] = None,
    weights_dir: WeightsDir = None,
) -> None:
    """List a data set's videos with speaker and split, for dh-prep run.

    crema: the authors' ten test actors; lrw: its own splits; grid: of each speaker every tenth
    sentence is test; voxceleb: a folder test is test; hdtf: all train; folder: about a tenth is
    test, by a hash of the name.
    """
    from pipeline.run.summary import by_split, note_speakers, say, table
    from pipeline.sources.manifest import scan, write_manifest
    from pipeline.sources.splits import split_by_speaker

    if out.exists():
        raise UserError(f"{out} is there already, perhaps edited; name another with --out")
    rows = scan(folder, layout)
    if split_by == "face":
        rows = _named_by_face(rows, workers, weights_dir)
    if split_by != "layout":
        rows = split_by_speaker(
            rows, test=test, val=val, unknown="train" if split_by == "face" else ""
        )
    write_manifest(out, rows)
    counts = by_split(rows)
    speakers = len({row.speaker for row in rows} - {""})
    table("", ("split", "clips", "speakers"), [*counts, ("all", len(rows), speakers)])
    note_speakers(rows)
    say(f"written  {out}")
    say(f"next     dh-prep run {shlex.quote(str(out))} --out DIR")


def _named_by_face(
    rows: list[ManifestRow], workers: int | None, weights_dir: Path | None
) -> list[ManifestRow]:
    """The rows with faces as speakers, and what a person should know about them."""
    from pipeline.run.summary import say
    from pipeline.sources.identities import faces_of_clips, name_by_face

    found = []
    with progress("faces", len(rows)) as step:
        for face in faces_of_clips(rows, workers=workers, weights_dir=weights_dir):
            found.append(face)
            step()
    named = name_by_face(rows, found)
    missing = sum(face is None for face in found)
    if missing:
        say(f"note     {missing:,} clips without a face, or unreadable: train, nobody's")
    name, count = Counter(row.speaker for row in named if row.speaker).most_common(1)[0]
    say(f"largest  {name}: {count:,} clips; look whether they are one person's")
    return named


@app.command("filter")
@dataclass_options
def filter_(
    folder: DataFolder,
    *,
    limits: Limits,
    out: Annotated[str, typer.Option(help="Folder of the new data set; a path or URL.")],
) -> None:
    """Make a smaller data set of the samples that keep some limits, without preparing again.

    The limits of the data set that it is made from hold on; those given here are added. Exit code
    0: done; 1: not one clip is left; 2: wrong use.
    """
    from pipeline.dataset.filter import filter_dataset
    from pipeline.dataset.pages.data_card import write_card
    from pipeline.dataset.rows import read_rows
    from pipeline.run.summary import describe_dataset, say, write_report

    dataset = filter_dataset(folder, out, limits)
    rows = read_rows(out)
    write_report(out, rows)
    write_card(out, dataset, rows)
    describe_dataset(out, dataset, rows)
    if not dataset["counts"]["samples"]:
        say("not one clip keeps the limits: there is nothing to train with")
        raise typer.Exit(1)


@app.command()
def check(folder: DataFolder) -> None:
    """Validate a data set against the whole contract.

    Every file, digest, row and sample is read. Exit code 0: it holds; 1: it does not, and every
    problem is named; 2: no data set.
    """
    from pipeline.dataset.check import check_dataset
    from pipeline.run.summary import say

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
    from pipeline.dataset.pages.contact_sheet import write_page
    from pipeline.run.summary import say
    from pipeline.units import size_text

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
    metrics: Annotated[
        str,
        typer.Option(
            help="Metrics of dh-bench whose networks are needed too, with commas between: fid, "
            "fvd, lpips, csim, sync."
        ),
    ] = "",
    json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write what belongs in a bug report, as Markdown: versions, processor, memory, "
            "pretrained files. No name of your files or folders is in it.",
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="With --report: a data set; why clips of it are left out is added."
        ),
    ] = None,
    weights_dir: WeightsDir = None,
) -> None:
    """Say what this machine has and what it lacks.

    Exit code 0: all that is needed is there; 1: something is missing, with the remedy.
    """
    from pipeline.run.doctor.checks import as_json, examine, show

    if data and not report:
        raise UserError("--data is for --report; give both")
    chosen = [part.strip() for part in metrics.split(",") if part.strip()]
    findings = examine(weights_dir, fetch=fetch, metrics=chosen)
    if json:
        print(as_json(findings))
    else:
        show(findings)
    if report:
        from pipeline.run.doctor.bug_report import write_report

        write_report(report, findings, weights_dir, data)
        print(f"written  {report}; read it before you send it", file=sys.stderr)
    if any(finding.status == "missing" for finding in findings):
        raise typer.Exit(1)


@app.command()
@dataclass_options
def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder for the videos; new or empty.")],
    options: DemoOptions,
    weights_dir: WeightsDir = None,
) -> None:
    """Make synthetic talking heads with sound, for a machine that has no data.

    With a truth file: mouth opening, blinks and offset of every frame.
    """
    from pipeline.run.summary import say
    from pipeline.talkers.demo import make_demo

    with progress("clips", options.clips) as step:
        made = make_demo(out, options, weights_dir=weights_dir, on_clip=step)
    say(f"written  {made}")
    say(f"next     dh-prep run {shlex.quote(str(made))} --out DIR")


def main() -> None:
    """The command line; a `UserError` becomes one sentence and exit code 2."""
    run_command(app)
