"""The model prepared for sampling: what does not change between calls is computed once.

The speech and identity paths do not see the noisy frame, the time path sees a few steps that are
known beforehand, and the stem is linear: its part over the identity and motion channels is a
feature map that all steps of a frame share. What is left for every step is the U-Net behind the
stem, and the stem over three channels.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from model.config.architecture import UNetConfig
from model.diffusion.schedule import Schedule
from model.network.talking_head import TalkingHead
from model.network.unet import UNet


@dataclass(frozen=True)
class FrameConditions:
    """What all steps of a frame share."""

    stem: Tensor  # (B, base, s, s), the stem's output for everything but the noisy frame
    scale: Tensor  # (B, C) 1 + y_s of eq. 17, the C channels of all residual blocks in a row.
    shift: Tensor  # (B, C) y_b


class Denoiser:
    """A model bound to the steps of a sampler; it has averaged weights and is copied, not changed.

    Convolutions and norms are held in bf16 if asked for, with channels last in memory, which is the
    faster layout on CPUs and tensor cores. What is computed once a frame or a run is float32.
    `compiled` lets torch.compile fuse the network, as CUDA graphs on a GPU; the first call then
    takes minutes.
    """

    def __init__(
        self,
        model: TalkingHead,
        schedule: Schedule,
        *,
        precision: str = "float32",
        compiled: bool = False,
    ) -> None:
        self.schedule = schedule
        self.config = model.unet.config
        self.device = next(model.parameters()).device
        self._embed_speech = model.embed_speech
        with torch.no_grad():
            self._bind_time_and_speech(model.unet)
            self._bind_network(model.unet, torch.bfloat16 if precision == "bf16" else torch.float32)
        # A CUDA graph writes every output to the same memory: it is used before the next call.
        mode = "reduce-overhead" if self.device.type == "cuda" else "default"
        network: Callable[..., Tensor] = self._network
        self._call = torch.compile(network, mode=mode, dynamic=False) if compiled else network

    def _bind_time_and_speech(self, unet: UNet) -> None:
        """1 + t_s and t_b of every step; the speech layers of all blocks as one."""
        time = unet.time_embed(self.schedule.steps.to(self.device))
        parts = [block.t_emb_layers(time).chunk(2, dim=1) for block in unet.residuals]
        scales, shifts = (torch.cat(part, dim=1) for part in zip(*parts, strict=True))
        self._t_scale, self._t_shift = 1 + scales, shifts  # (K, C) each

        linear = [cast("nn.Linear", block.audio_emb_layers[1]) for block in unet.residuals]
        self._widths = [layer.out_features // 2 for layer in linear]

        def joined(parameters: list[Tensor]) -> Tensor:
            halves = [parameter.chunk(2) for parameter in parameters]  # scale and shift of each
            return torch.cat([scale for scale, _ in halves] + [shift for _, shift in halves])

        self._y_weight = joined([layer.weight for layer in linear])
        self._y_bias = joined([layer.bias for layer in linear])
        self._audio_embed = copy.deepcopy(unet.audio_embed)

    def _bind_network(self, unet: UNet, dtype: torch.dtype) -> None:
        """The network in its type and layout, and the stem in three parts."""
        # The linear layers are bound already; the copy leaves their weights out.
        linear = [layer for layer in unet.modules() if isinstance(layer, nn.Linear)]
        empty = nn.Parameter(torch.empty(0))
        memo: dict[int, Any] = {id(p): empty for layer in linear for p in layer.parameters()}
        self._unet = copy.deepcopy(unet, memo).to(self.device, dtype)
        self._unet.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        stem = self._unet.stem
        motion = self.config.motion_frames * self.config.motion_channels
        channels = [count * self.config.patch**2 for count in (3, motion, 3)]
        self._stem = [
            part.contiguous(memory_format=torch.channels_last)
            for part in torch.split(stem.weight, channels, dim=1)
        ]
        self._stem_bias = stem.bias
        self.dtype = dtype

    def _convolved(self, pixels: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
        """A part of the stem over (B, channels, S, S)."""
        folded = F.pixel_unshuffle(pixels.to(self.dtype), self.config.patch)
        folded = folded.contiguous(memory_format=torch.channels_last)
        return F.conv2d(folded, weight, bias, padding=1)

    def encode_speech(self, features: Tensor) -> Tensor:
        """(B, F) speech features to (B, base) embeddings, float32."""
        return self._embed_speech(features)

    def encode_identity(self, identity: Tensor) -> Tensor:
        """(B, 3, S, S) identity frames to the stem's output for them; once a clip."""
        return self._convolved(identity, self._stem[2], self._stem_bias)

    def prepare_frame(self, identity: Tensor, motion: Tensor, speech: Tensor) -> FrameConditions:
        """What the steps of a frame share; `identity` is what `encode_identity` gave.

        Motion frames are (B, motion_frames x motion_channels, S, S) in [-1, 1], speech
        (B, speech_window, base) embeddings, both oldest first.
        """
        embedded = F.silu(self._audio_embed(speech.flatten(1)))  # (B, 4 base)
        scale, shift = F.linear(embedded, self._y_weight, self._y_bias).chunk(2, dim=1)  # (B, C)
        return FrameConditions(identity + self._convolved(motion, self._stem[1]), 1 + scale, shift)

    def step(self, x: Tensor, index: int, conditions: FrameConditions) -> Tensor:
        """One call of the network: the same as `UNet.forward`, but for rounding.

        (B, 3, S, S) noisy frames at step `index` of the schedule to (B, 6, S, S) float32.
        """
        time = (self._t_scale[index], self._t_shift[index])
        return self._call(x, conditions.stem, conditions.scale, conditions.shift, *time).float()

    def _network(
        self,
        x: Tensor,
        stem: Tensor,
        y_scale: Tensor,
        y_shift: Tensor,
        t_scale: Tensor,
        t_shift: Tensor,
    ) -> Tensor:
        """(1 + y_s) ((1 + t_s) GN(h) + t_b) + y_b for all blocks, and the U-Net with it."""
        scale = (t_scale * y_scale).to(self.dtype)[..., None, None]  # (B, C, 1, 1)
        shift = torch.addcmul(y_shift, t_shift, y_scale).to(self.dtype)[..., None, None]
        scales, shifts = (torch.split(part, self._widths, dim=1) for part in (scale, shift))
        h = self._convolved(x, self._stem[0]) + stem
        return self._unet.trunk(h, list(zip(scales, shifts, strict=True)))


class ScriptedDenoiser:
    """The interface of `Denoiser` for a TorchScript network: all is computed anew at every step."""

    def __init__(self, model: TalkingHead, schedule: Schedule) -> None:
        self.schedule = schedule
        self.device = next(model.parameters()).device
        self._model = model

    def encode_speech(self, features: Tensor) -> Tensor:
        """(B, F) speech features to (B, base) embeddings."""
        return self._model.embed_speech(features)

    def encode_identity(self, identity: Tensor) -> Tensor:
        """The identity frames themselves."""
        return identity

    def prepare_frame(
        self, identity: Tensor, motion: Tensor, speech: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The conditions themselves."""
        return identity, motion, speech

    def step(self, x: Tensor, index: int, conditions: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """One call of the network: (B, 6, S, S) float32."""
        t = torch.full((len(x),), int(self.schedule.steps[index]), device=self.device)
        return cast("Tensor", self._model.unet(x, t, *conditions)).float()


FrameDenoiser = Denoiser | ScriptedDenoiser


@lru_cache
def call_flops(config: UNetConfig) -> int:
    """Floating-point operations, 2 a multiply-add, of one call of the U-Net for one frame."""
    size, motion = config.image_size, config.motion_frames * config.motion_channels
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        UNet(config)(
            torch.empty(1, 3, size, size),
            torch.empty(1),
            torch.empty(1, 3, size, size),
            torch.empty(1, motion, size, size),
            torch.empty(1, config.speech_window, config.base_channels),
        )
    return int(counter.get_total_flops())
