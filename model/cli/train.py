"""dh-train on the command line."""

import shlex
from dataclasses import dataclass, replace
from typing import Annotated, Any

import typer

from model.cli.new_app import new_app
from model.training.run_options import RunOptions
from pipeline.command_options import dataclass_options
from pipeline.errors import UserError, run_command

train_app = new_app()


def _preset_option(**given: Any) -> Any:
    return typer.Option(show_default="the preset's", **given)


@dataclass(frozen=True)
class Launch:
    """Changes to the preset, and where the training runs.

    Attributes:
        steps: optimiser steps.
        batch_size: frames a step.
        accumulate: parts that a batch is computed in, to save memory.
        changes: FIELD=VALUE: another value for a field of the preset, as options.json names it
            (train.motion.noise=0.2). Repeatable.
        workers: processes that train together, through Ray Train.
        address: of a Ray cluster whose machines see the folders.
        dry: measure memory, speed and time to the end on a few steps in one process, say what would
            be written, and write nothing.
    """

    steps: Annotated[int | None, _preset_option(min=1)] = None
    batch_size: Annotated[int | None, _preset_option(min=1)] = None
    accumulate: Annotated[int | None, _preset_option(min=1)] = None
    changes: Annotated[list[str] | None, typer.Option("--set")] = None
    workers: Annotated[int, typer.Option(min=1)] = 1
    address: str | None = None
    dry: Annotated[bool, typer.Option("--dry-run")] = False


@train_app.command()
@dataclass_options
def train_command(*, options: RunOptions, launch: Launch) -> None:
    """Trains a talking-head model on a data set.

    Ctrl-C saves a checkpoint; the same command with --resume carries on.
    """
    from model.checkpoints.checkpoint import read_info
    from model.config.overrides import override
    from model.training.dry_run import dry_run
    from model.training.loop import train
    from model.training.ray_train import train_on_ray
    from pipeline.lock import exclusive

    recipe = {name: getattr(launch, name) for name in ("steps", "batch_size", "accumulate")}
    given = [f"train.{name}={value}" for name, value in recipe.items() if value is not None]
    options = replace(options, preset=override(options.preset, [*(launch.changes or []), *given]))
    on_ray = launch.workers > 1 or launch.address

    def report(line: str) -> None:
        print(line, flush=True)

    if launch.dry:
        if on_ray:
            raise UserError("--dry-run measures one process; leave out --workers and --address")
        dry_run(options, report)
        return
    with exclusive(options.out, "dh-train"):
        if on_ray:
            path = train_on_ray(options, report, workers=launch.workers, address=launch.address)
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
