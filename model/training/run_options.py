"""The options of a training run; `options.json` holds them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from model.config.presets import Preset


@dataclass(frozen=True)
class RunOptions:
    """One training run.

    Attributes:
        data: the data set's folder.
        out: the run's folder.
        preset: model and recipe.
        resume: carry on from the last checkpoint in `out`.
        other_data: whether a resumed run may go on with other clips than it was trained on.
        init_from: a checkpoint of ours or of the authors whose weights a new run begins with.
        device: where to train.
        precision: arithmetic of the network; `auto` takes bf16 where the processor has it.
        memory_format: how feature maps lie; `auto` takes what measures faster.
        compile: let torch.compile fuse the network; worth its minutes on a GPU.
        seed: of weights, noise and order.
        loaders: processes of each worker that read ahead; 0 reads in the training process.
        log_every: steps between status lines.
        save_every: steps between checkpoints.
        keep: how many of the last checkpoints stay; 0 keeps all.
        strip_every: steps between strips of sampled frames, the last step always; 0 is never.
    """

    data: Path
    out: Path
    preset: Preset
    resume: bool = False
    other_data: bool = False
    init_from: Path | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["auto", "bf16", "float32"] = "auto"
    memory_format: Literal["auto", "contiguous", "channels_last"] = "auto"
    compile: bool = False
    seed: int = 0
    loaders: int = 1
    log_every: int = 20
    save_every: int = 500
    keep: int = 3
    strip_every: int = 500
