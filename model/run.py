"""A training run: its options, its folder, and what it begins with."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from model.checkpoint import TrainingState, latest, read_info, restore
from model.device import MemoryFormat, Precision, choose_memory_format
from model.network import SpeechFormat, TalkingHead
from model.transfer import init_from
from pipeline.errors import UserError
from pipeline.plan import PLAN_FILE

if TYPE_CHECKING:
    from pathlib import Path

    from model.presets import Preset


@dataclass(frozen=True)
class RunOptions:
    """One training run.

    Attributes:
        data: the data set's folder.
        out: the run's folder.
        preset: model and recipe.
        resume: carry on from the last checkpoint in `out`.
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
    init_from: Path | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Precision = "auto"
    memory_format: MemoryFormat = "auto"
    compile: bool = False
    seed: int = 0
    loaders: int = 1
    log_every: int = 20
    save_every: int = 500
    keep: int = 3
    strip_every: int = 500


def checkpoint_path(run: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return run / f"checkpoint-{step:07d}.safetensors"


def checkpoint_to_resume(options: RunOptions, speech: SpeechFormat) -> Path | None:
    """The run's last checkpoint if it is to be resumed; None for a new run.

    Raises:
        UserError: the run's folder and what is asked for do not fit together.
    """
    if options.out.exists() and not options.out.is_dir():
        raise UserError(f"{options.out} is a file; name a folder with --out")
    found = latest(options.out)
    if found and not options.resume:
        raise UserError(f"{options.out} holds a run already; add --resume, or use another --out")
    if (options.out / PLAN_FILE).exists():
        raise UserError(f"{options.out} is a data set; name a folder of its own with --out")
    if options.resume and not found:
        raise UserError(
            f"nothing to resume: no checkpoint in {options.out}; leave out --resume to begin"
        )
    if found and options.init_from:
        raise UserError(
            f"{options.out} goes on with its own weights; leave out --init-from, or --resume and "
            "use another --out"
        )
    if found:
        _same_model(found, options, speech)
        step, steps = read_info(found).step, options.preset.train.steps
        if step > steps:
            raise UserError(
                f"{options.out} is at step {step} already, past the {steps} asked for; "
                "ask for more with --steps"
            )
    return found


def _same_model(found: Path, options: RunOptions, speech: SpeechFormat) -> None:
    """A run can be resumed with another recipe, not with another network."""
    info = read_info(found)
    theirs, ours = info.preset, options.preset
    if (theirs.unet, theirs.diffusion, theirs.speech_hidden, theirs.train.motion.told) != (
        ours.unet,
        ours.diffusion,
        ours.speech_hidden,
        ours.train.motion.told,
    ):
        if theirs.name == ours.name:
            raise UserError(
                f"{found} was trained with other --set of the network or the diffusion; give those "
                f"of {options.out / 'options.json'}, or use another --out"
            )
        raise UserError(
            f"{found} was trained with preset {theirs.name!r}, whose network differs from that of "
            f"{ours.name!r}; resume with --preset {theirs.name}, or use another --out"
        )
    if not info.speech.fits(speech):
        raise UserError(f"{found} takes other speech features than {options.data} holds")


def begin(
    options: RunOptions, speech: SpeechFormat, device: torch.device, found: Path | None
) -> tuple[TrainingState, list[str]]:
    """Fresh weights, or those of a checkpoint; and sentences on where they come from."""
    torch.manual_seed(options.seed)
    model = TalkingHead(options.preset, speech)
    told = init_from(options.init_from, model) if options.init_from else []
    model.to(device)
    chosen = choose_memory_format(options.memory_format, device, options.preset.unet)
    # torch's stubs know no memory_format alone.
    model.to(memory_format=chosen)  # type: ignore[call-overload]
    average = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
    fused = device.type in ("cpu", "cuda")
    adam = torch.optim.Adam(model.parameters(), options.preset.train.learning_rate, fused=fused)
    state = TrainingState(model, average, adam)
    if found:
        restore(found, state)
    return state, told
