"""dh-bench: numbers for generated videos, and the paper's tables with ours beside them."""

from __future__ import annotations

import time
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table as RichTable

from pipeline.errors import UserError, run_command
from pipeline.files import write_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.score import ClipRow, Scores

app = typer.Typer(
    help="Scores generated talking heads and sets them beside the paper's published numbers.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # paragraphs flow to the terminal's width
    pretty_exceptions_enable=False,
)

PATIENCE = 2.0  # seconds without a progress bar
LISTED = 10


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
    from benchmarks.score import ScoreOptions, score

    if out.is_dir():
        raise UserError(f"{out} is a folder; name a file, for example {out / 'scores.json'}")
    options = ScoreOptions(name, dataset, split, max_frames, image_size)
    with _progress("scoring") as on_clip:
        scores = score(real, fake, options, on_clip)
    write_json(out, scores)
    _print_scores(scores)
    print(f"wrote {out}")
    failed = [row for row in scores["clips"] if row["status"] == "failed"]
    if failed or any(scores["unmatched"].values()):
        raise typer.Exit(1)


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
    from benchmarks.table import build_table, read_scores, renderer, to_rich, write_table

    for path in out or []:
        renderer(path)  # a wrong name is told before anything is written
    built = build_table(table.value, [read_scores(path) for path in scores or []])
    for path in out or []:
        write_table(path, built)
        print(f"wrote {path}")
    if not out:
        console, shown = Console(), to_rich(built)
        # In a narrow terminal or a pipe rich cuts columns off; a long line loses nothing.
        needed = Measurement.get(console, console.options.update(width=1000), shown).maximum
        console.width = max(console.width, needed)
        console.print(shown)
        for note in [*built.notes, *(f"[{row.mark}] {row.source}" for row in built.measured)]:
            console.print(note, markup=False, highlight=False, style="dim")


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int], None]]:
    """Gives a function of (done, total) that shows a bar once the work has taken two seconds."""
    begin = time.monotonic()
    bar = Progress(
        TextColumn(label),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
    task = bar.add_task(label)

    def advance(done: int, total: int) -> None:
        bar.update(task, completed=done, total=total)
        if not bar.live.is_started and time.monotonic() - begin > PATIENCE:
            bar.start()

    try:
        yield advance
    finally:
        if bar.live.is_started:
            bar.stop()


def _print_scores(scores: Scores) -> None:
    """The set's numbers with their protocol, then whatever went wrong, by name."""
    console = Console(highlight=False)
    shown = RichTable(title=f"{scores['method']} on {scores['dataset']}", title_justify="left")
    for heading in ("metric", "mean", "95% CI", "clips"):
        shown.add_column(heading, justify="left" if heading == "metric" else "right")
    for row in scores["metrics"].values():
        mean = "-" if row["mean"] is None else f"{row['mean']:.4f}"
        interval = "-" if row["ci95"] is None else "{:.4f} to {:.4f}".format(*row["ci95"])
        shown.add_row(row["label"], mean, interval, str(row["n"]))
    console.print(shown)
    notes = [scores["protocol"]]
    notes += [f"{row['label']}: {row['protocol']}" for row in scores["metrics"].values()]
    for note in notes:
        console.print(note, markup=False, style="dim")
    clips = scores["clips"]
    _print_list(
        console, "failed", [_line(r, r["reason"]) for r in clips if r["status"] == "failed"]
    )
    _print_list(
        console,
        "warnings",
        [_line(row, text) for row in clips for text in row.get("warnings", [])],
    )
    _print_list(console, "real clips without a fake", scores["unmatched"]["real"])
    _print_list(console, "fakes without a real clip", scores["unmatched"]["fake"])


def _line(row: ClipRow, text: str) -> str:
    return f"{row['clip_id']}: {text}"


def _print_list(console: Console, title: str, lines: list[str]) -> None:
    if not lines:
        return
    console.print(f"{title} ({len(lines)}):", markup=False)
    for line in lines[:LISTED]:
        console.print(f"  {line}", markup=False, soft_wrap=True)
    if len(lines) > LISTED:
        console.print(f"  … and {len(lines) - LISTED} more, all in the JSON", markup=False)


def main() -> None:
    """The entry point of dh-bench."""
    run_command(app)
