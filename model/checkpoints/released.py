"""The authors' checkpoints: their Lightning files and their TorchScript demo model.

The released state dict calls the network's tensors as `model.network.unet` does, after a prefix,
so that they load as they are; how the network is shaped is read off the tensors' own shapes, and
what shapes cannot tell off the hyper-parameters beside them. These networks take the embeddings of
the authors' speech encoder (`pipeline.speech.released_encoder`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from model.checkpoints.lightning import is_torchscript, plain, read_checkpoint
from model.checkpoints.scripted import ScriptedUNet
from model.config.architecture import UNetConfig
from model.config.presets import PRESETS, Preset
from model.network.talking_head import SpeechFormat, TalkingHead
from model.network.unet import UNet
from pipeline.errors import UserError
from pipeline.runtimes.torchscript import load_script

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

# Lightning stores the network twice, as a member of the module and of its diffusion; it may also
# have been taken out already.
PREFIXES = ("unet.", "diffusion.nn_backbone.", "nn_backbone.", "")
_STEM = "input_blocks.0.0.weight"
_SCRIPT = "the authors' demo model"


@dataclass(frozen=True)
class Released:
    """The network of a checkpoint.

    Attributes:
        tensors: of the U-Net, float32, under our names.
        preset: `crema` or `lrw` if it is one of these, else `released`.
        step: optimiser steps it was trained for; 0 if the file does not say.
    """

    tensors: dict[str, Tensor]
    preset: Preset
    step: int


def read_released(path: Path) -> Released:
    """The U-Net of the authors' checkpoint: of Lightning, a bare state dict, or TorchScript.

    Raises:
        UserError: the file is damaged, holds another network, or none that can be named.
    """
    if is_torchscript(path):
        state, hyper, step = dict(load_script(path, _SCRIPT).state_dict()), {}, 0
    else:
        content = read_checkpoint(path)
        state = content.get("state_dict", content)
        hyper = plain(content.get("hyper_parameters", {}))
        step = content.get("global_step", 0)
    tensors = _named(state, path)
    preset = _preset(tensors, hyper if isinstance(hyper, dict) else {}, path)
    wrong = misfit(tensors, preset.unet)
    if wrong:
        raise UserError(f"{path} is not the released network: {wrong}")
    # Copies: the file may go away, and half precision is for computing, not for keeping.
    tensors = {name: value.float().clone() for name, value in tensors.items()}
    return Released(tensors, preset, step if isinstance(step, int) else 0)


def load_released(
    path: Path, device: torch.device, *, opaque: bool = True
) -> tuple[TalkingHead, Preset, int]:
    """A model that samples with the authors' network.

    Args:
        path: see `read_released`.
        device: where it computes.
        opaque: a TorchScript file is called as it is; otherwise its tensors are taken out.

    Returns:
        The model, its preset, and the steps it was trained for.

    Raises:
        UserError: the file cannot be used.
    """
    unet: UNet | ScriptedUNet
    if opaque and is_torchscript(path):
        script = load_script(path, _SCRIPT, device)
        preset, step = _preset_of_script(script, path), 0
        unet = ScriptedUNet(path, script, preset.unet)
    else:
        released = read_released(path)
        preset, step = released.preset, released.step
        with torch.device("meta"):
            unet = UNet(preset.unet)
        unet.load_state_dict(released.tensors, assign=True)
    model = TalkingHead(preset, _speech(preset), unet)
    for parameter in model.lip_reader.parameters():  # it was never trained, and must not be random
        nn.init.zeros_(parameter)
    return model.to(device).eval().requires_grad_(requires_grad=False), preset, step


def misfit(tensors: dict[str, Tensor], config: UNetConfig) -> str:
    """The first tensor that is not as a network has it, and how many more; empty if none is."""
    with torch.device("meta"):
        wanted = {name: tuple(value.shape) for name, value in UNet(config).state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    wrong = [
        f"{name} is {found[name] or 'a number'}, not {shape}"
        for name, shape in wanted.items()
        if name in found and found[name] != shape
    ]
    wrong += [f"{name} is missing" for name in wanted if name not in found]
    wrong += [f"{name} has no place in it" for name in found if name not in wanted]
    more = f" (and {len(wrong) - 1} more like this)" if len(wrong) > 1 else ""
    return wrong[0] + more if wrong else ""


def _named(state: Any, path: Path) -> dict[str, Tensor]:
    """The U-Net's tensors, the prefix cut off."""
    if isinstance(state, dict):
        for prefix in PREFIXES:
            if prefix + _STEM in state:
                return {
                    name.removeprefix(prefix): value
                    for name, value in state.items()
                    if isinstance(name, str) and name.startswith(prefix)
                    if isinstance(value, torch.Tensor)
                }
    raise UserError(
        f"{path} holds no network of the authors: no tensor in it is called {_STEM}, with or "
        f"without {' or '.join(prefix for prefix in PREFIXES if prefix)} before it"
    )


def _preset(tensors: dict[str, Tensor], hyper: dict[str, Any], path: Path) -> Preset:
    """The preset of a network, read off its tensors."""
    try:
        unet = config_of(tensors, hyper)
    except (KeyError, IndexError, ValueError, ZeroDivisionError) as error:
        raise UserError(
            f"{path} is not the released network: its shape cannot be read off its tensors "
            f"({error})"
        ) from error
    crema = PRESETS["crema"]
    diffusion = replace(crema.diffusion, steps=_number(hyper, "n_timesteps", crema.diffusion.steps))
    for preset in (crema, PRESETS["lrw"]):
        if (unet, diffusion) == (preset.unet, preset.diffusion):
            return preset
    return replace(crema, name="released", unet=unet, diffusion=diffusion)


def _preset_of_script(script: Any, path: Path) -> Preset:
    """The preset of a demo model; one whose tensors have no names is the one published: CREMA's."""
    state = dict(script.state_dict())
    named = any(prefix + _STEM in state for prefix in PREFIXES)
    return _preset(_named(state, path), {}, path) if named else PRESETS["crema"]


def config_of(tensors: dict[str, Tensor], hyper: dict[str, Any]) -> UNetConfig:
    """The shape of a network.

    Args:
        tensors: of the U-Net.
        hyper: the authors' hyper-parameters, for what no shape tells: image size, dropout, heads,
            and how many frames the motion channels are; without them those of the paper.

    Raises:
        KeyError, IndexError, ValueError, ZeroDivisionError: the tensors are none of this network.
    """
    base, taken = tensors[_STEM].shape[:2]
    frames, channels = _motion(taken - 6, hyper.get("n_motion_frames"))
    blocks = 1 + max(int(name.split(".")[1]) for name in tensors if name.startswith("input_"))
    # A level's last block on the way up ends with the residual block that doubles the size.
    ups = [
        int(name.split(".")[1])
        for name in tensors
        if name.startswith("output_blocks.") and name.endswith(".in_layers.2.weight")
        if name.split(".")[2] != "0"
    ]
    res_blocks = min(ups) if ups else blocks - 1
    first = range(1, blocks, res_blocks + 1)  # the first block of each level
    widths = [tensors[f"input_blocks.{i}.0.in_layers.2.weight"].shape[0] for i in first]
    size = _number(hyper, "image_size", UNetConfig.image_size)
    attended = [
        size >> level
        for level, i in enumerate(first)
        if f"input_blocks.{i}.1.qkv.weight" in tensors
    ]
    dropout = hyper.get("dropout")
    by_width = _number(hyper, "num_head_channels", UNetConfig.head_channels)
    return UNetConfig(
        image_size=size,
        base_channels=base,
        channel_mult=tuple(width // base for width in widths),
        res_blocks=res_blocks,
        attention_resolutions=tuple(attended),
        # The released code takes -1 for: so many heads, however wide.
        head_channels=by_width if by_width > 0 else UNetConfig.head_channels,
        heads=0 if by_width > 0 else _number(hyper, "num_heads", 4),
        dropout=dropout if isinstance(dropout, float) else UNetConfig.dropout,
        motion_channels=channels,
        motion_frames=frames,
        speech_context=(tensors["audio_embed.0.weight"].shape[1] // base - 1) // 2,
    )


def _motion(extra: int, told: Any) -> tuple[int, Any]:
    """How many motion frames of how many channels lie in the stem's other channels."""
    if isinstance(told, int) and told > 0 and extra in (told, 3 * told):
        return told, extra // told
    if extra < 1:
        raise ValueError(f"a stem of {extra + 6} channels leaves none for motion frames")
    return (extra // 3, 3) if extra % 3 == 0 else (extra, 1)


def _number(hyper: dict[str, Any], name: str, default: int) -> int:
    value = hyper.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _speech(preset: Preset) -> SpeechFormat:
    """The embeddings of the authors' encoder; their statistics are not known, nor needed."""
    width = preset.unet.base_channels
    return SpeechFormat(1, width, [0.0] * width, [1.0] * width, "released")
