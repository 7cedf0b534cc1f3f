"""dh-bench: numbers for generated videos, and the paper's tables with ours beside them."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated

import typer

from benchmarks.generate_command import generate_command, methods_command
from benchmarks.table_commands import compare_command, report_command, table_command
from pipeline.errors import UserError, run_command
from pipeline.files import write_json

app = typer.Typer(
    help="Scores generated talking heads and sets them beside the paper's published numbers.",
    no_args_is_help=True,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",  # paragraphs flow to the terminal's width
    pretty_exceptions_enable=False,
)


@app.callback()
def _commands() -> None:
    """Keeps `score` a command of its own should it ever be the only one."""


@app.command("score")
def score_command(
    *,
    real: Annotated[
        Path,
        typer.Option(help="The real clips: a folder of videos, or a data set made by dh-prep."),
    ],
    fake: Annotated[
        Path,
        typer.Option(help="The generated videos, each called like the clip it imitates."),
    ],
    out: Annotated[Path, typer.Option(help="Where the numbers go, as JSON.")],
    name: Annotated[
        str,
        typer.Option(help="What tables call the system.", show_default="the name of --fake"),
    ] = "",
    dataset: Annotated[
        str,
        typer.Option(
            help="What tables call the data; CREMA and LRW are the paper's columns.",
            show_default="the name of --real",
        ),
    ] = "",
    split: Annotated[
        str | None,
        typer.Option(
            help="Split of the data set to score.", show_default="test if there is one, else all"
        ),
    ] = None,
    max_frames: Annotated[
        int,
        typer.Option(min=0, help="Compare at most this many frames of a clip; 0 compares all."),
    ] = 100,
    image_size: Annotated[
        int | None,
        typer.Option(
            min=16,
            help="Compare at this many pixels on the shorter side (the paper's: 128).",
            show_default="the real clip's size",
        ),
    ] = None,
) -> None:
    """SSIM and PSNR of generated videos against the real clips, per clip and over the set.

    Frame k is compared with frame k at 25 frames/s; a fake of another size is brought to the real
    clip's. The means come with a 95% bootstrap interval over clips. A clip that cannot be compared
    or has no counterpart is named here and in the JSON.

    Exit code: 0 all clips scored, 1 some clips failed or had no counterpart, 2 wrong use.
    """
    from benchmarks.options import ScoreOptions
    from benchmarks.score import score
    from benchmarks.terminal import print_scores

    if out.is_dir():
        raise UserError(f"{out} is a folder; name a file, for example {out / 'scores.json'}")
    options = ScoreOptions(name, dataset, split, max_frames, image_size)
    scores = score(real, fake, options)
    write_json(out, scores)
    print_scores(scores)
    print(f"wrote {out}")
    failed = [row for row in scores["clips"] if row["status"] == "failed"]
    if failed or any(scores["unmatched"].values()):
        raise typer.Exit(1)


app.command("generate")(generate_command)
app.command("methods")(methods_command)
app.command("table")(table_command)
app.command("compare")(compare_command)
app.command("report")(report_command)


def main() -> None:
    """The entry point of dh-bench."""
    run_command(app)
