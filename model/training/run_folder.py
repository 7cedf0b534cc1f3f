"""A training run: its options, its folder, and what it begins with."""

from __future__ import annotations

import copy
import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch

from model.checkpoints.checkpoint import TrainingState, latest, read_info, restore
from model.checkpoints.transfer import init_from
from model.device import MemoryFormat, Precision, choose_memory_format
from model.network.talking_head import SpeechFormat, TalkingHead
from pipeline.dataset.plan import PLAN_FILE
from pipeline.errors import UserError
from pipeline.files import read_json, write_json

if TYPE_CHECKING:
    from pathlib import Path

    from model.config.presets import Preset
    from model.config.recipe import TrainConfig

OPTIONS_FILE = "options.json"


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


def keep_options(options: RunOptions, dataset: dict[str, Any]) -> None:
    """Writes the options into the run's folder, with what tells the data set from others."""
    write_json(
        options.out / OPTIONS_FILE,
        {
            **asdict(options),
            "data": str(options.data.absolute()),
            "data_sha256": data_sha256(dataset),
            "out": str(options.out),
            "init_from": str(options.init_from) if options.init_from else None,
        },
    )


def data_sha256(dataset: dict[str, Any]) -> str:
    """What tells the clips that a model is trained on from others, wherever they lie.

    Args:
        dataset: the content of `dataset.json`.
    """
    shards = [shard for shard in dataset["shards"] if shard["split"] == "train"]
    sums = "".join(f"{shard.get('sha256', '')}  {shard['name']}\n" for shard in shards)
    return hashlib.sha256(sums.encode()).hexdigest()


def checkpoint_to_resume(options: RunOptions, dataset: dict[str, Any]) -> Path | None:
    """The run's last checkpoint if it is to be resumed; None for a new run.

    Args:
        options: of the run.
        dataset: the content of `dataset.json`.

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
    if options.other_data and not options.resume:
        raise UserError("--other-data is for a run that goes on; add --resume, or leave it out")
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
        _same_model(found, options, SpeechFormat.of(dataset["speech"]))
        if not options.other_data:
            _same_data(options, dataset)
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
    if (
        theirs.unet,
        theirs.diffusion,
        theirs.speech_hidden,
        theirs.train.motion.level_as_input,
    ) != (
        ours.unet,
        ours.diffusion,
        ours.speech_hidden,
        ours.train.motion.level_as_input,
    ):
        if theirs.name == ours.name:
            raise UserError(
                f"{found} was trained with other --set of the network or the diffusion; give those "
                f"of {options.out / OPTIONS_FILE}, or use another --out"
            )
        raise UserError(
            f"{found} was trained with preset {theirs.name!r}, whose network differs from that of "
            f"{ours.name!r}; resume with --preset {theirs.name}, or use another --out"
        )
    if not info.speech.fits(speech):
        raise UserError(f"{found} takes other speech features than {options.data} holds")


def _same_data(options: RunOptions, dataset: dict[str, Any]) -> None:
    """A run goes on with the clips that it was trained on, unless told otherwise."""
    before = _data_before(options, dataset)
    if before is None:
        return
    if before == str(options.data.absolute()):
        raise UserError(
            f"{options.data} holds other clips than when {options.out} was trained on it; add "
            "--other-data to go on with them, or use another --out"
        )
    raise UserError(
        f"{options.out} was trained on {before}, and {options.data} holds other clips; name the "
        "first with --data, or add --other-data to go on with the second"
    )


def _data_before(options: RunOptions, dataset: dict[str, Any]) -> str | None:
    """Where the clips lay that a run was trained on; None if they are these, or nobody knows."""
    try:
        kept: dict[str, Any] = read_json(options.out / OPTIONS_FILE)
    except FileNotFoundError:
        return None
    same = kept.get("data_sha256") in (None, data_sha256(dataset))  # older runs do not say
    return None if same else str(kept["data"])


def what_changed(found: Path, options: RunOptions, dataset: dict[str, Any]) -> list[str]:
    """Sentences on what a resumed run does otherwise than before: its data, its recipe."""
    before = _data_before(options, dataset)
    told = [f"note: trained on {before} so far, from here on {options.data}"] if before else []
    changed = _changes(read_info(found).preset.train, options.preset.train)
    if changed:
        told.append(f"note: another recipe than so far: {'; '.join(changed)}")
    return told


def _changes(before: TrainConfig, now: TrainConfig) -> list[str]:
    """Fields of a recipe that have another value, called as --set calls them."""
    old, new = (
        {f"train.{name}": value for name, value in asdict(one).items() if name != "motion"}
        | {f"train.motion.{name}": value for name, value in asdict(one.motion).items()}
        for one in (before, now)
    )
    return [f"{name} {old[name]} is now {new[name]}" for name in new if old[name] != new[name]]


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
