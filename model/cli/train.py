"""dh-train on the command line."""

import shlex
from dataclasses import replace
from typing import Annotated

import typer

from model.cli.new_app import new_app
from model.training.run_options import RunOptions
from pipeline.command_options import dataclass_options
from pipeline.errors import UserError, run_command

train_app = new_app()


@train_app.command()
@dataclass_options
def train_command(
    *,
    options: RunOptions,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Optimiser steps.", show_default="the preset's")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Frames a step.", show_default="the preset's")
    ] = None,
    accumulate: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Parts that a batch is computed in, to save memory.",
            show_default="the preset's",
        ),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="FIELD=VALUE: another value for a field of the preset, as options.json names it "
            "(train.motion.noise=0.2). Repeatable.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that train together, through Ray Train.")
    ] = 1,
    address: Annotated[
        str | None, typer.Option(help="Of a Ray cluster whose machines see the folders.")
    ] = None,
    dry: Annotated[
        bool,
        typer.Option(
            "--dry-run",
            help="Measure memory, speed and time to the end on a few steps in one process, say "
            "what would be written, and write nothing.",
        ),
    ] = False,
) -> None:
    """Trains a talking-head model on a data set.

    Ctrl-C saves a checkpoint; the same command with --resume carries on.
    """
    from model.checkpoints.checkpoint import read_info
    from model.config.overrides import override
    from model.training.dry_run import dry_run
    from model.training.loop import train
    from model.training.ray_train import train_on_ray
    from pipeline.lock import exclusive

    recipe = {"steps": steps, "batch_size": batch_size, "accumulate": accumulate}
    given = [f"train.{name}={value}" for name, value in recipe.items() if value is not None]
    options = replace(options, preset=override(options.preset, [*(changes or []), *given]))

    def report(line: str) -> None:
        print(line, flush=True)

    if dry:
        if workers > 1 or address:
            raise UserError("--dry-run measures one process; leave out --workers and --address")
        dry_run(options, report)
        return
    with exclusive(options.out, "dh-train"):
        if workers > 1 or address:
            path = train_on_ray(options, report, workers=workers, address=address)
        else:
            path = train(options, report)
    info = read_info(path)
    finished = options.progress(info.step, info.seconds) == 1
    if not finished:
        print("stopped before the last step; the same command with --resume carries on")
    print(f"saved {path}")
    if finished:
        words = shlex.join(["--checkpoint", str(options.out)])
        print(f"next: dh-sample {words} --face me.jpg --speech hello.wav --out hello.mp4")


def train_main() -> None:
    """The command dh-train."""
    run_command(train_app)
