"""The options of a training run, on the command line and in `options.json`."""

from pathlib import Path
from typing import Annotated

import typer
from pydantic import Field, NonNegativeInt, PositiveInt
from pydantic.dataclasses import dataclass

from model.config.choices import Device, MemoryFormat, Precision, TrackerName
from model.config.presets import PRESETS, Preset
from model.config.presets import preset as preset_named


def _preset(given: str | Preset) -> Preset:
    """A preset from the command line, or the default as it is."""
    return preset_named(given) if isinstance(given, str) else given


@dataclass(frozen=True)
class RunOptions:
    """One training run.

    Attributes:
        data: a data set made by dh-prep run.
        out: the run's folder: checkpoints, curves, strips.
        preset: model and recipe. tiny: 128 x 128, minutes on two cores. grid: one speaker,
            128 x 128. crema, lrw: the paper's.
        minutes: the run ends after this many minutes, or after its steps, whichever comes first;
            the learning rate follows. Time before a resume counts.
        resume: carry on from the last checkpoint.
        other_data: with --resume: go on with other clips than it was trained on.
        init_from: begin with the weights of a checkpoint, ours or the authors'.
        device: where to train; auto takes CUDA, else MPS, else the CPU.
        precision: arithmetic of the network; auto takes bf16 where the processor computes in it.
        memory_format: how feature maps lie in memory; auto takes what measured faster.
        compile: let torch.compile fuse the network; worth its minutes on a GPU.
        seed: of weights, noise and order; a resumed run keeps its own.
        loaders: processes of each worker that read ahead; 0 reads in the training process.
        log_every: steps between status lines.
        save_every: steps between checkpoints.
        keep: how many of the last checkpoints stay; 0 keeps all.
        strip_every: steps between strips of sampled frames, the last step always; 0 is never.
        tracker: where curves and strips go, besides the status lines. wandb and mlflow read their
            own variables (WANDB_MODE=offline, MLFLOW_TRACKING_URI).
    """

    data: Path
    out: Path
    preset: Annotated[Preset, typer.Option(parser=_preset, metavar="NAME", show_default="tiny")] = (
        PRESETS["tiny"]
    )
    minutes: Annotated[float | None, Field(gt=0)] = None
    resume: bool = False
    other_data: bool = False
    init_from: Path | None = None
    device: Device = "auto"
    precision: Precision = "auto"
    memory_format: MemoryFormat = "auto"
    compile: bool = False
    seed: int = 0
    loaders: NonNegativeInt = 1
    log_every: PositiveInt = 20
    save_every: PositiveInt = 500
    keep: NonNegativeInt = 3
    strip_every: NonNegativeInt = 500
    tracker: TrackerName = "tensorboard"

    def progress(self, step: int, seconds: float) -> float:
        """Share of the run that is done, 0 … 1: of its steps or of its minutes, the larger one."""
        by_time = seconds / (60 * self.minutes) if self.minutes else 0.0
        return min(1.0, max(step / self.preset.train.steps, by_time))
