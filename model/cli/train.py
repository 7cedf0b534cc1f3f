"""dh-train on the command line."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated, Literal

import typer

from model.cli.shared_options import CONTEXT, DeviceOption, PrecisionOption
from pipeline.errors import run_command

train_app = typer.Typer(
    add_completion=False,
    pretty_exceptions_show_locals=False,
    context_settings=CONTEXT,
    rich_markup_mode="markdown",  # paragraphs flow to the terminal's width
)


@train_app.command()
def train_command(
    *,
    data: Annotated[Path, typer.Option(help="A data set made by dh-prep run.")],
    out: Annotated[Path, typer.Option(help="The run's folder: checkpoints, curves, strips.")],
    preset: Annotated[
        str,
        typer.Option(
            help="tiny: 64 x 64, minutes on two cores. grid: one speaker, 128 x 128. "
            "crema, lrw: the paper's."
        ),
    ] = "tiny",
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser steps.", show_default="the preset's")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Frames a step.", show_default="the preset's")
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="FIELD=VALUE: another value for a field of the preset, as options.json names it "
            "(train.motion.noise=0.2). Repeatable.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Carry on from the last checkpoint.")
    ] = False,
    other_data: Annotated[
        bool,
        typer.Option(
            "--other-data", help="With --resume: go on with other clips than it was trained on."
        ),
    ] = False,
    init_from: Annotated[
        Path | None,
        typer.Option(help="Begin with the weights of a checkpoint, ours or the authors'."),
    ] = None,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    memory_format: Annotated[
        Literal["auto", "contiguous", "channels_last"],
        typer.Option(help="auto takes what measured faster."),
    ] = "auto",
    compile_: Annotated[
        bool, typer.Option("--compile", help="Let torch.compile fuse the network.")
    ] = False,
    accumulate: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Parts that a batch is computed in, to save memory.",
            show_default="the preset's",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that train together, through Ray Train.")
    ] = 1,
    address: Annotated[
        str | None,
        typer.Option(help="Of a Ray cluster whose machines see the folders."),
    ] = None,
    seed: Annotated[
        int, typer.Option(help="Of weights, noise and order; a resumed run keeps its own.")
    ] = 0,
    loaders: Annotated[int, typer.Option(min=0, help="Processes that read ahead.")] = 1,
    log_every: Annotated[int, typer.Option(min=1, help="Steps between status lines.")] = 20,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 500,
    keep: Annotated[
        int, typer.Option(min=0, help="How many of the last checkpoints stay; 0: all.")
    ] = 3,
    strip_every: Annotated[
        int, typer.Option(min=0, help="Steps between strips of sampled frames; 0 is never.")
    ] = 500,
) -> None:
    """Trains a talking-head model on a data set.

    Ctrl-C saves a checkpoint; the same command with --resume carries on.
    """
    from model.config.overrides import override
    from model.config.presets import preset as named
    from model.training.loop import train
    from model.training.ray_train import train_on_ray
    from model.training.run_folder import checkpoint_path
    from model.training.run_options import RunOptions
    from pipeline.lock import alone

    recipe = {"steps": steps, "batch_size": batch_size, "accumulate": accumulate}
    given = [f"train.{name}={value}" for name, value in recipe.items() if value is not None]
    chosen = override(named(preset), [*(changes or []), *given])
    options = RunOptions(
        data=data,
        out=out,
        preset=chosen,
        resume=resume,
        other_data=other_data,
        init_from=init_from,
        device=device,
        precision=precision,
        memory_format=memory_format,
        compile=compile_,
        seed=seed,
        loaders=loaders,
        log_every=log_every,
        save_every=save_every,
        keep=keep,
        strip_every=strip_every,
    )

    def report(line: str) -> None:
        print(line, flush=True)

    with alone(out, "dh-train"):
        if workers > 1 or address:
            path = train_on_ray(options, report, workers=workers, address=address)
        else:
            path = train(options, report)
    finished = path == checkpoint_path(out, chosen.train.steps)
    if not finished:
        print("stopped before the last step; the same command with --resume carries on")
    print(f"saved {path}")
    if finished:
        words = shlex.join(["--checkpoint", str(out)])
        print(f"next: dh-sample {words} --face me.jpg --speech hello.wav --out hello.mp4")


def train_main() -> None:
    """The command dh-train."""
    # As in `model.cli.sample.sample_main`: threads that wait for each other should sleep soon.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    run_command(train_app)
