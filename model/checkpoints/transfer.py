"""Weights of a checkpoint written to a file of their own, or taken for the start of a run."""

from dataclasses import fields
from pathlib import Path

import torch
from torch import Tensor, nn

from model.checkpoints.checkpoint import CheckpointInfo, load_talking_head, resolve, save_average
from model.checkpoints.released import misfit
from model.config.architecture import UNetConfig
from model.network.talking_head import SpeechFormat, TalkingHead
from pipeline.errors import UserError

_CPU = torch.device("cpu")
# They do not change what the weights mean; attention layers show in the tensors' names.
_MAY_DIFFER = ("image_size", "dropout", "attention_resolutions")


def convert(checkpoint: Path, out: Path) -> CheckpointInfo:
    """Writes the model of any checkpoint as safetensors with JSON beside it, both new files."""
    for path in (out, out.with_suffix(".json")):
        if path.exists():
            raise UserError(f"{path} exists already; take another name or move it away")
    model, info = load_talking_head(resolve(checkpoint), _CPU, call_script=False)
    save_average(out, model, info)
    return info


def init_from(path: Path, model: TalkingHead) -> list[str]:
    """Fills a fresh model with what a checkpoint has for it, to be trained further.

    The U-Net must fit. The speech encoder, and what else is trained beside the U-Net, is taken if
    it is for the same features and of the same shape, with the mean and deviation of the features
    that it was trained with; otherwise it stays as it is. Returns lines for the log: what was taken
    and what begins fresh.
    """
    found = resolve(path)
    source, info = load_talking_head(found, _CPU, call_script=False)
    # Equal shapes are not enough: head counts or frequencies do not show in them.
    theirs, ours = info.preset.unet, model.unet.config
    differ = [
        f"{field.name} {getattr(theirs, field.name)}, not {getattr(ours, field.name)}"
        for field in fields(UNetConfig)
        if field.name not in _MAY_DIFFER
        and getattr(theirs, field.name) != getattr(ours, field.name)
    ]
    if differ:
        raise UserError(f"the network of {found} has {'; '.join(differ)}; choose another --preset")
    wrong = misfit(source.unet.state_dict(), ours)
    if wrong:
        raise UserError(f"the network of {found} does not fit: {wrong}; choose another --preset")
    model.unet.load_state_dict(source.unet.state_dict())
    predicts = info.preset.diffusion.prediction
    lines = [f"network: from {found}, {info.step} steps old, which predicts {predicts}"]
    children = dict(source.named_children())
    for name, part in model.named_children():
        if name != "unet" and any(True for _ in part.parameters()):
            state = children[name].state_dict() if name in children else {}
            reason = _take_part(part, state, source.speech, model.speech)
            taken = f"begins fresh, since {reason}" if reason else "from the checkpoint"
            lines.append(f"{name.replace('_', ' ')}: {taken}")
    return lines


def _take_part(
    part: nn.Module, state: dict[str, Tensor], theirs: SpeechFormat, ours: SpeechFormat
) -> str:
    """Loads a part beside the U-Net; the reason if it cannot be taken, else empty."""
    if not theirs.fits(ours):
        other = " of another encoder" if theirs.name == ours.name else ""
        return f"the checkpoint takes {theirs.name} and the data set holds {ours.name}{other}"
    found, expected = (
        {name: value.shape for name, value in one.items()} for one in (state, part.state_dict())
    )
    if found != expected:
        return "that of the checkpoint is of another shape"
    part.load_state_dict(state)
    return ""
