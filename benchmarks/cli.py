"""dh-bench: numbers for generated videos, and the paper's tables with ours beside them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Literal

import typer

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


class TableName(StrEnum):
    """A table of the paper."""

    v1 = "v1"
    v2 = "v2"


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
        typer.Option(min=0, help="Look at at most this many frames of a clip; 0 takes all."),
    ] = 100,
    image_size: Annotated[
        int | None,
        typer.Option(
            min=16,
            help="Compare at this many pixels on the shorter side (the paper's: 128).",
            show_default="the real clip's size",
        ),
    ] = None,
    metrics: Annotated[
        str,
        typer.Option(
            help="Names of metrics with commas between, as the JSON has them.", show_default="all"
        ),
    ] = "",
    lip_reader: Annotated[
        str,
        typer.Option(
            help="Command that prints what it reads off the lips in a video, whose path is put "
            "after it: for WER. What is said is read from NAME.txt or NAME.align beside the real "
            "clip.",
            show_default="no WER",
        ),
    ] = "",
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes.", show_default="one a processor, if clips are many"),
    ] = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        typer.Option(help="Of the networks. auto takes CUDA, else MPS, else the CPU."),
    ] = "auto",
    precision: Annotated[
        Literal["bf16", "float32"],
        typer.Option(
            help="Of the networks of FID and FVD; bf16 is up to 3 x quicker and moves them by "
            "up to 1 %."
        ),
    ] = "float32",
    weights_dir: Annotated[
        Path | None, typer.Option(help="Your own folder of pretrained files.")
    ] = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Folder in which measurements are kept by content, about 1 MB a video: the same "
            "command carries on where it stopped, and the real clips are measured once for all "
            "methods. May be deleted at any time.",
            show_default="in the user's cache",
        ),
    ] = None,
) -> None:
    """Every number of the paper for generated videos, per clip and over the set, in one pass.

    Frame k is compared with frame k at 25 frames/s; a fake of another size is brought to the real
    clip's. Numbers come with their protocol and a 95% bootstrap interval over clips; one that
    cannot be measured says why, and what to do. A clip that cannot be compared or has no
    counterpart is named here and in the JSON.

    Exit code: 0 all clips scored, 1 some clips failed or had no counterpart, 2 wrong use.
    """
    from benchmarks.options import ScoreOptions
    from benchmarks.score import score
    from benchmarks.terminal import print_scores
    from pipeline.weights import cache_folder

    if out.is_dir():
        raise UserError(f"{out} is a folder; name a file, for example {out / 'scores.json'}")
    options = ScoreOptions(
        method=name,
        dataset=dataset,
        split=split,
        max_frames=max_frames,
        image_size=image_size,
        metrics=tuple(part.strip() for part in metrics.split(",") if part.strip()),
        workers=workers,
        device=device,
        precision=precision,
        lip_reader=lip_reader,
        weights_dir=weights_dir,
        cache=cache or cache_folder() / "measurements",
    )
    scores = score(real, fake, options)
    write_json(out, scores)
    print_scores(scores)
    print(f"wrote {out}")
    failed = [row for row in scores["clips"] if row["status"] == "failed"]
    if failed or any(scores["unmatched"].values()):
        raise typer.Exit(1)


@app.command("generate")
def generate_command(
    *,
    data: Annotated[Path, typer.Option(help="A data set made by dh-prep run.")],
    checkpoint: Annotated[
        Path, typer.Option(help="A run's folder (its last checkpoint), or a .safetensors file.")
    ],
    out: Annotated[
        Path, typer.Option(help="Folder of the videos; new, or of the same run to be continued.")
    ],
    split: Annotated[str, typer.Option(help="Split of the data set.")] = "test",
    max_frames: Annotated[
        int, typer.Option(min=0, help="Draw at most this many frames of a clip; 0 draws all.")
    ] = 100,
    clips: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many clips.", show_default="all")
    ] = None,
    sampler: Annotated[
        Literal["ddim", "dpm", "ancestral"],
        typer.Option(help="ancestral is the paper's, with --steps 200."),
    ] = "ddim",
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Network calls a frame.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Clips drawn side by side.")] = 8,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        typer.Option(help="auto takes CUDA, else MPS, else the CPU."),
    ] = "auto",
    precision: Annotated[
        Literal["auto", "bf16", "float32"],
        typer.Option(help="auto takes bf16 where the processor computes in it."),
    ] = "auto",
) -> None:
    """The paper's test protocol: a video from the first frame and the speech of every test clip.

    Writes OUT/CLIP.mp4 with the clip's own sound, ready for dh-bench score, and the recipe beside
    them. Videos that are there already are kept: the same command carries on where it stopped.
    """
    from benchmarks.protocol import ProtocolOptions, generate_clips

    options = ProtocolOptions(
        split, max_frames, clips, sampler, steps, seed, batch, device, precision
    )
    written = list(generate_clips(data, checkpoint, out, options))
    print(f"wrote {len(written)} videos to {out}")
    print(f"next: dh-bench score --real {data} --fake {out} --split {split} --out scores.json")


@app.command("table")
def table_command(
    *,
    scores: Annotated[
        list[Path] | None,
        typer.Option(help="A file written by dh-bench score: a row of ours. Repeatable."),
    ] = None,
    out: Annotated[
        list[Path] | None,
        typer.Option(
            help="Where the table goes: .md, .csv, .tex or .html. Repeatable.",
            show_default="the terminal",
        ),
    ] = None,
    table: Annotated[
        TableName,
        typer.Option(
            help="v1: SSIM and PSNR, of the paper's first version. v2: FVD, FID, blinks, motion "
            "and sync, of the published version."
        ),
    ] = TableName.v1,
) -> None:
    """The paper's table with a row for each scored system; without --scores, as published.

    The best published value of a column is bold and the second best underlined. Rows of ours stand
    apart, with the number of clips and the protocol in a footnote.
    """
    from benchmarks.render import renderer, write_table
    from benchmarks.results import read_scores
    from benchmarks.table import build_table
    from benchmarks.terminal import print_table

    for path in out or []:
        renderer(path)  # a wrong name is told before anything is written
    built = build_table(table.value, [read_scores(path) for path in scores or []])
    for path in out or []:
        write_table(path, built)
        print(f"wrote {path}")
    if not out:
        print_table(built)


def main() -> None:
    """The entry point of dh-bench."""
    run_command(app)
