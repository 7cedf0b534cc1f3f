"""Weights carried over: from a checkpoint into a file of its own, or into a run's beginning."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

import torch

from model.checkpoints.checkpoint import (
    CheckpointInfo,
    is_released,
    load_talking_head,
    resolve,
    save_average,
)
from model.checkpoints.released import load_released, misfit
from model.config.architecture import UNetConfig
from pipeline.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from torch import nn

    from model.network.talking_head import TalkingHead

_CPU = torch.device("cpu")
# They do not change what the weights mean; where attention lies, names and shapes tell.
_FREE = ("image_size", "dropout", "attention_resolutions")


def convert(checkpoint: Path, out: Path) -> CheckpointInfo:
    """Writes the model of any checkpoint as safetensors with JSON beside it.

    Args:
        checkpoint: of ours or the authors'; a file, or a run's folder.
        out: the .safetensors file.

    Returns:
        What was written.

    Raises:
        UserError: the checkpoint cannot be used, or `out` is there already.
    """
    for path in (out, out.with_suffix(".json")):
        if path.exists():
            raise UserError(f"{path} exists already; take another name or move it away")
    model, info = _load(resolve(checkpoint))
    save_average(out, model, info)
    return info


def init_from(path: Path, model: TalkingHead) -> list[str]:
    """Fills a fresh model with what a checkpoint has for it, to be trained further.

    The U-Net must fit. The speech encoder, and what else is trained beside the U-Net, is taken if
    it is for the same features and of the same shape, with the mean and deviation of the features
    that it was trained with; otherwise it stays as it is.

    Args:
        path: a checkpoint of ours (file or run's folder), or the authors' (Lightning or demo).
        model: changed in place; it may be on any device.

    Returns:
        Sentences on what was taken and what begins fresh.

    Raises:
        UserError: the checkpoint cannot be used, or its network is another one.
    """
    found = resolve(path)
    source, info = _load(found)
    _same_network(found, info.preset.unet, model.unet.config)
    wrong = misfit(source.unet.state_dict(), model.unet.config)
    if wrong:
        raise UserError(f"the network of {found} does not fit: {wrong}; choose another --preset")
    model.unet.load_state_dict(source.unet.state_dict())
    predicts = info.preset.diffusion.prediction
    told = [f"network: from {found}, {info.step} steps old, which predicts {predicts}"]
    theirs = dict(source.named_children())
    for name, part in model.named_children():
        if name != "unet" and any(True for _ in part.parameters()):
            told.append(_take(name, part, theirs.get(name), source, model))
    return told


def _take(
    name: str, part: nn.Module, theirs: nn.Module | None, source: TalkingHead, model: TalkingHead
) -> str:
    """One part beside the U-Net, taken if it fits; the sentence about it."""
    called = name.replace("_", " ")
    if not source.speech.fits(model.speech):
        return (
            f"{called}: begins fresh, since the checkpoint takes {source.speech.name} and the "
            f"data set holds {model.speech.name}"
            + (" of another encoder" if source.speech.name == model.speech.name else "")
        )
    state = theirs.state_dict() if theirs is not None else {}
    shapes = {key: value.shape for key, value in state.items()}
    if shapes != {key: value.shape for key, value in part.state_dict().items()}:
        return f"{called}: begins fresh, since that of the checkpoint is of another shape"
    part.load_state_dict(state)
    return f"{called}: from the checkpoint"


def _load(path: Path) -> tuple[TalkingHead, CheckpointInfo]:
    """A checkpoint whose network has tensors: the demo model is opened, not called."""
    if not is_released(path):
        return load_talking_head(path, _CPU)
    model, preset, step = load_released(path, _CPU, call_script=False)
    return model, CheckpointInfo(preset, model.speech, step, seed=0)


def _same_network(path: Path, theirs: UNetConfig, ours: UNetConfig) -> None:
    """Equal shapes are not enough: head counts or frequencies have none, and would be misread."""
    differ = [
        f"{field.name} {getattr(theirs, field.name)}, not {getattr(ours, field.name)}"
        for field in fields(UNetConfig)
        if field.name not in _FREE and getattr(theirs, field.name) != getattr(ours, field.name)
    ]
    if differ:
        raise UserError(f"the network of {path} has {'; '.join(differ)}; choose another --preset")
