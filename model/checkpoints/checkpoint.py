"""Checkpoints: one safetensors file with JSON beside it, whole or absent; nothing is unpickled.

Where a checkpoint is only read, the authors' files are taken too, see `model.checkpoints.released`.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from model.checkpoints.lightning import is_torch_file
from model.checkpoints.released import load_released
from model.config.presets import Preset, from_json
from model.network.talking_head import SpeechFormat, TalkingHead
from pipeline.dataset.shards import DATASET_FILE
from pipeline.errors import UserError
from pipeline.files import atomic_path, read_json, write_json
from pipeline.weights import FILES, locate

FORMAT_VERSION = 1
_MODEL, _AVERAGE, _ADAM = "model.", "average.", "adam."


@dataclass(frozen=True)
class CheckpointInfo:
    """The JSON beside the tensors."""

    preset: Preset  # of the model
    speech: SpeechFormat  # format of the features it takes
    step: int  # optimiser steps taken
    seed: int  # of the run
    seconds: float = 0.0  # spent on training


@dataclass
class TrainingState:
    """What training carries from step to step.

    Random numbers and the place in the data are not in it: they follow from seed and step, see
    `model.training.objective.SeededNoise` and `model.data.stream`.
    """

    model: TalkingHead  # the weights being trained
    average: TalkingHead  # their exponential moving average, which sampling uses
    optimizer: torch.optim.Optimizer  # Adam
    step: int = 0  # optimiser steps taken
    seconds: float = 0.0  # spent on training, before a resume too


def save(path: Path, state: TrainingState, info: CheckpointInfo) -> None:
    """Writes a checkpoint; the JSON comes last and marks it whole."""
    tensors = {_MODEL + name: value for name, value in state.model.state_dict().items()}
    tensors |= {_AVERAGE + name: value for name, value in state.average.state_dict().items()}
    for index, moments in state.optimizer.state_dict()["state"].items():
        tensors |= {f"{_ADAM}{index}.{name}": value for name, value in moments.items()}
    _write(path, tensors, info)


def save_average(path: Path, model: TalkingHead, info: CheckpointInfo) -> None:
    """Writes a model alone, to be published: it samples, but its run cannot be resumed."""
    _write(path, {_AVERAGE + name: value for name, value in model.state_dict().items()}, info)


def _write(path: Path, tensors: dict[str, Tensor], info: CheckpointInfo) -> None:
    with atomic_path(path) as temporary:
        save_file({name: value.contiguous().cpu() for name, value in tensors.items()}, temporary)
        # safetensors writes files that only their owner can read; ours are like any other file.
        temporary.chmod(0o644)
    described = {
        "format_version": FORMAT_VERSION,
        "step": info.step,
        "seed": info.seed,
        "seconds": info.seconds,
        "preset": asdict(info.preset),
        "speech": asdict(info.speech),
        "synthetic_media": "videos made with this model must be labelled as synthetic",
    }
    write_json(path.with_suffix(".json"), described)


def rotate(run: Path, keep: int) -> None:
    """Removes a run's checkpoints but for the last `keep`; 0 keeps all.

    The JSON, which marks a checkpoint as whole, goes first.
    """
    found = sorted(run.glob("checkpoint-*.json"))
    for described in found[: max(0, len(found) - keep)] if keep else []:
        described.unlink()
        described.with_suffix(".safetensors").unlink(missing_ok=True)


def checkpoints(run: Path) -> list[Path]:
    """The checkpoints of a run's folder that have both their files, oldest first."""
    found = [path.with_suffix(".safetensors") for path in sorted(run.glob("checkpoint-*.json"))]
    return [path for path in found if path.exists()]


def latest(run: Path) -> Path | None:
    """The last checkpoint of a run's folder, or None."""
    return next(reversed(checkpoints(run)), None)


def resolve(path: Path, weights_dir: Path | None = None) -> Path:
    """A checkpoint file from a file or a run's folder; the authors' files are taken as well.

    Where nothing lies at `path`, it may name a published checkpoint, which is looked for in the
    user's folder of pretrained files first.
    """
    if not path.exists() and f"{path}.safetensors" in FILES:
        locate(f"{path}.json", weights_dir)
        path = locate(f"{path}.safetensors", weights_dir)
    if path.is_dir():
        found = latest(path)
        if found is None:
            if (path / DATASET_FILE).exists():
                raise UserError(f"{path} is a data set; name the folder that dh-train wrote")
            raise UserError(
                f"no checkpoint in {path}; train one with: dh-train --data DIR --out {path}"
            )
        return found
    if not path.exists():
        raise UserError(f"no such checkpoint: {path}")
    if is_released(path):
        return path
    if path.suffix != ".safetensors":
        raise UserError(
            f"{path} is no checkpoint; name a run's folder, a .safetensors file, or a file of the "
            "authors (.ckpt, .pt)"
        )
    if not path.with_suffix(".json").exists():
        raise UserError(
            f"{path} has no {path.stem}.json beside it; copy both files of a checkpoint"
        )
    return path


def is_released(path: Path) -> bool:
    """Whether a file is a checkpoint of PyTorch, as the authors' are, and not one of ours."""
    return path.suffix != ".safetensors" and is_torch_file(path)


def read_info(path: Path) -> CheckpointInfo:
    """The JSON of a checkpoint of ours; a `UserError` if it is another, or of a newer version."""
    described = path.with_suffix(".json")
    try:
        data: dict[str, Any] = read_json(described)
        if data["format_version"] != FORMAT_VERSION:
            raise UserError(f"{path} is not a checkpoint of this version (format {FORMAT_VERSION})")
        return CheckpointInfo(
            from_json(data["preset"]),
            SpeechFormat.of(data["speech"]),
            data["step"],
            data["seed"],
            data.get("seconds", 0.0),  # checkpoints of older versions have none
        )
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{described} does not describe a checkpoint of ours ({error})") from error


def load_talking_head(
    path: Path, device: torch.device, *, call_script: bool = True
) -> tuple[TalkingHead, CheckpointInfo]:
    """The averaged model of a checkpoint, or the authors' model, ready to sample.

    The authors' TorchScript demo is called as it is, or else its tensors are loaded into our
    network. A `UserError` if the file is no checkpoint, or its tensors do not fit its JSON.
    """
    if is_released(path):
        model, preset, step = load_released(path, device, call_script=call_script)
        return model, CheckpointInfo(preset, model.speech, step, seed=0)
    info = read_info(path)
    model = TalkingHead(info.preset, info.speech)
    _fill(model, _tensors(path, _AVERAGE), path)
    return model.to(device).eval().requires_grad_(requires_grad=False), info


def restore(path: Path, state: TrainingState) -> None:
    """Brings a run back to where a checkpoint left it: weights, average, Adam, step."""
    _fill(state.model, _tensors(path, _MODEL), path)
    _fill(state.average, _tensors(path, _AVERAGE), path)
    moments: dict[int, dict[str, Tensor]] = {}
    for name, value in _tensors(path, _ADAM).items():
        index, _, key = name.partition(".")
        moments.setdefault(int(index), {})[key] = value
    described = state.optimizer.state_dict()
    state.optimizer.load_state_dict({**described, "state": moments})
    info = read_info(path)
    state.step, state.seconds = info.step, info.seconds


def check_whole(path: Path) -> None:
    """Refuses a checkpoint of ours whose tensors were cut off, as a full disk leaves them.

    The `UserError` names the newest whole checkpoint beside it.
    """
    error = _damage(path)
    if error is None:
        return
    whole = [other for other in checkpoints(path.parent) if _damage(other) is None]
    remedy = (
        f"the newest whole one is {whole[-1]}: name that one, or move {path.name} away, and "
        "--resume goes on from it"
        if whole
        else "no other checkpoint beside it is whole; copy it again, or train anew"
    )
    raise UserError(f"{path} is not a whole safetensors file ({error}); {remedy}")


def _damage(path: Path) -> SafetensorError | None:
    """The error of opening a file, whose header says how long it must be; None if it is whole."""
    try:
        with safe_open(path, framework="pt"):
            return None
    except SafetensorError as error:
        return error


def _tensors(path: Path, prefix: str) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix`, which is cut off."""
    check_whole(path)
    with safe_open(path, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118
        return {name.removeprefix(prefix): file.get_tensor(name) for name in names}


def _fill(model: TalkingHead, tensors: dict[str, Tensor], path: Path) -> None:
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise UserError(f"{path} does not fit its preset: {reason}") from error
