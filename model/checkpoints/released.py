"""The authors' checkpoints: their Lightning files and their TorchScript demo model.

The released state dict calls the network's tensors as `model.network.unet` does, after a prefix,
so that they load as they are; the shape of the network is read off the tensors' own shapes, and
what shapes do not tell off the hyper-parameters beside them. These networks take the embeddings of
the authors' speech encoder (`pipeline.speech.released_encoder`).
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model.checkpoints.lightning import is_torchscript, read_checkpoint, to_plain
from model.config.architecture import UNetConfig
from model.config.presets import PRESETS, Preset
from model.network.talking_head import SpeechFormat, TalkingHead
from model.network.unet import UNet
from pipeline.errors import UserError
from pipeline.runtimes.torchscript import load_script

# Lightning stores the network twice, as a member of the module and of its diffusion; it may also
# have been taken out already.
PREFIXES = ("unet.", "diffusion.nn_backbone.", "nn_backbone.", "")
_STEM = "input_blocks.0.0.weight"
_ARGUMENTS = ("x", "t", "identity", "motion frames", "speech embeddings")


class ScriptedUNet(nn.Module):
    """The authors' TorchScript demo model with the interface of `model.network.unet.UNet`.

    It computes in float32 whatever is asked for: what its inside does with another type is not
    known. A TorchScript file is a program, though one that can only compute with tensors; take it
    from the authors alone.
    """

    def __init__(self, path: Path, script: Any, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self._path, self._script = path, script
        arguments = script.forward.schema.arguments[1:]  # the first is the module
        required = sum(not argument.has_default_value() for argument in arguments)
        if not required <= len(_ARGUMENTS) <= len(arguments):
            raise UserError(
                f"{path} is not the authors' demo model: its forward takes {required} arguments "
                f"or more, not {', '.join(_ARGUMENTS)}"
            )

    def forward(
        self, x: Tensor, t: Tensor, identity: Tensor, motion: Tensor, speech: Tensor
    ) -> Tensor:
        """One call, see `UNet.forward`; a `UserError` if the output is not (B, 6, S, S)."""
        with torch.autocast(x.device.type, enabled=False):
            conditions = (part.float() for part in (identity, motion, speech))
            output = self._script(x.float(), t, *conditions)
        expected = (len(x), 6, *x.shape[2:])
        if not isinstance(output, Tensor) or output.shape != expected:
            found = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise UserError(
                f"{self._path} is not the authors' demo model: it answers with {found}, not "
                f"{expected}"
            )
        return output


def load_released(
    path: Path, device: torch.device, *, call_script: bool = True
) -> tuple[TalkingHead, Preset, int]:
    """A model that samples with the authors' network, its preset, and its optimiser steps.

    From a checkpoint of Lightning, a bare state dict, or TorchScript, which is called as it is or
    else gives its tensors. The preset is `crema` or `lrw` if it is one of these, else `released`;
    the steps are 0 if the file does not say. A `UserError` if the file is damaged, holds another
    network, or none that can be named.
    """
    script, hyper, step = None, {}, 0
    if is_torchscript(path):
        script = load_script(path, "the authors' demo model", device if call_script else None)
        state = dict(script.state_dict())
    else:
        content = read_checkpoint(path)
        state, step = content.get("state_dict", content), content.get("global_step", 0)
        hyper = to_plain(content.get("hyper_parameters", {}))
    if script is not None and call_script:
        # One whose tensors have no names is the one published: CREMA's.
        named = any(prefix + _STEM in state for prefix in PREFIXES)
        preset = _preset(_unet_tensors(state, path), {}, path) if named else PRESETS["crema"]
        unet: nn.Module = ScriptedUNet(path, script, preset.unet)
    else:
        tensors = _unet_tensors(state, path)
        preset = _preset(tensors, hyper if isinstance(hyper, dict) else {}, path)
        wrong = misfit(tensors, preset.unet)
        if wrong:
            raise UserError(f"{path} is not the released network: {wrong}")
        with torch.device("meta"):
            unet = UNet(preset.unet)
        # Copies: the file may go away, and half precision is for computing, not for keeping.
        copies = {name: value.float().clone() for name, value in tensors.items()}
        unet.load_state_dict(copies, assign=True)
    # The statistics of the authors' embeddings are not known, nor needed.
    width = preset.unet.base_channels
    speech = SpeechFormat(1, width, [0.0] * width, [1.0] * width, "released")
    model = TalkingHead(preset, speech, unet)
    for parameter in model.lip_reader.parameters():  # never trained, and must not be random
        nn.init.zeros_(parameter)
    model = model.to(device).eval().requires_grad_(requires_grad=False)
    return model, preset, step if isinstance(step, int) else 0


def misfit(tensors: dict[str, Tensor], config: UNetConfig) -> str:
    """The first tensor that does not fit a network, and how many more; empty if all do."""
    with torch.device("meta"):
        expected = {name: tuple(value.shape) for name, value in UNet(config).state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    wrong = [
        f"{name} is {found[name] or 'a number'}, not {shape}"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    wrong += [f"{name} is missing" for name in expected if name not in found]
    wrong += [f"{name} has no place in it" for name in found if name not in expected]
    more = f" (and {len(wrong) - 1} more like this)" if len(wrong) > 1 else ""
    return wrong[0] + more if wrong else ""


def _unet_tensors(state: Any, path: Path) -> dict[str, Tensor]:
    """The U-Net's tensors, the prefix cut off."""
    if isinstance(state, dict):
        for prefix in PREFIXES:
            if prefix + _STEM in state:
                return {
                    name.removeprefix(prefix): value
                    for name, value in state.items()
                    if isinstance(name, str) and name.startswith(prefix)
                    if isinstance(value, Tensor)
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


def config_of(tensors: dict[str, Tensor], hyper: dict[str, Any]) -> UNetConfig:
    """The shape of a network, read off its U-Net's tensors.

    What the shapes leave open comes from the authors' hyper-parameters or the paper: image size,
    dropout, heads, and how many frames the motion channels are. Tensors of another network raise a
    KeyError, IndexError, ValueError or ZeroDivisionError.
    """
    base, in_channels = tensors[_STEM].shape[:2]
    motion_frames, motion_channels = _motion(in_channels - 6, hyper.get("n_motion_frames"))
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
    attention = [
        size >> level
        for level, i in enumerate(first)
        if f"input_blocks.{i}.1.qkv.weight" in tensors
    ]
    dropout = hyper.get("dropout")
    head_channels = _number(hyper, "num_head_channels", UNetConfig.head_channels)
    return UNetConfig(
        image_size=size,
        base_channels=base,
        channel_mult=tuple(width // base for width in widths),
        res_blocks=res_blocks,
        attention_resolutions=tuple(attention),
        # -1 in the released code: `num_heads` heads, however wide.
        head_channels=head_channels if head_channels > 0 else UNetConfig.head_channels,
        heads=0 if head_channels > 0 else _number(hyper, "num_heads", 4),
        dropout=dropout if isinstance(dropout, float) else UNetConfig.dropout,
        motion_channels=motion_channels,
        motion_frames=motion_frames,
        speech_context=(tensors["audio_embed.0.weight"].shape[1] // base - 1) // 2,
    )


def _motion(channels: int, frames: Any) -> tuple[int, Any]:
    """How many motion frames of how many channels lie in the stem's other channels."""
    if isinstance(frames, int) and frames > 0 and channels in (frames, 3 * frames):
        return frames, channels // frames
    if channels < 1:
        raise ValueError(f"a stem of {channels + 6} channels leaves none for motion frames")
    return (channels // 3, 3) if channels % 3 == 0 else (channels, 1)


def _number(hyper: dict[str, Any], name: str, default: int) -> int:
    value = hyper.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else default
