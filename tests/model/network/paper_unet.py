"""The network as one would write it from the paper, and weights and inputs to compare with."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import nn

from model.config.architecture import UNetConfig
from model.network.unet import UNet

if TYPE_CHECKING:
    from torch import Tensor


SMALL = UNetConfig(
    image_size=16,
    base_channels=8,
    channel_mult=(1, 2, 3),
    res_blocks=2,
    attention_resolutions=(8,),
    head_channels=8,
    norm_groups=4,
    dropout=0.1,
)


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """All parameters drawn at random, the zero ones too; float64, no dropout."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    if isinstance(module, UNet):  # the time features are float32
        module.time_embed.fc.register_forward_pre_hook(lambda _, given: (given[0].double(),))
    with torch.no_grad():
        for parameter in module.parameters():
            scale = 1 / math.sqrt(parameter[0].numel()) if parameter.ndim > 1 else 0.5
            parameter.copy_(
                scale * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            )
    return module


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def group_norm(x: Tensor, groups: int, weight: Tensor, bias: Tensor) -> Tensor:
    parts = x.reshape(len(x), groups, -1)
    mean = parts.mean(2, keepdim=True)
    variance = ((parts - mean) ** 2).mean(2, keepdim=True)
    whole = ((parts - mean) / (variance + 1e-5).sqrt()).reshape(x.shape)
    spread = (1, -1, *[1] * (x.ndim - 2))
    return whole * weight.reshape(spread) + bias.reshape(spread)


def silu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))


def convolution(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A convolution as a sum of shifted products."""
    side = weight.shape[-1]
    padded = torch.nn.functional.pad(x, [side // 2] * 4)
    height, width = x.shape[-2:]
    return bias.reshape(1, -1, 1, 1) + sum(
        torch.einsum(
            "bchw,oc->bohw", padded[..., i : i + height, j : j + width], weight[:, :, i, j]
        )
        for i in range(side)
        for j in range(side)
    )


class Reference:
    """The released network as one would write it from the paper, on a plain state dict."""

    def __init__(self, weights: dict[str, Tensor], groups: int, head: int) -> None:
        self.weights, self.groups, self.head = weights, groups, head

    def two(self, name: str) -> tuple[Tensor, Tensor]:
        return self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]

    def linear(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.two(name)
        return x @ weight.T + bias

    def residual(self, x: Tensor, name: str, t: Tensor, y: Tensor, resample: str) -> Tensor:
        def resampled(image: Tensor) -> Tensor:
            if resample == "up":
                return image.repeat_interleave(2, 2).repeat_interleave(2, 3)
            if resample == "down":
                corners = [image[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
                return sum(corners) / 4
            return image

        h = silu(group_norm(x, self.groups, *self.two(f"{name}.in_layers.0")))
        h = convolution(resampled(h), *self.two(f"{name}.in_layers.2"))
        t_s, t_b = self.linear(silu(t), f"{name}.t_emb_layers.1")[..., None, None].chunk(2, 1)
        y_s, y_b = self.linear(silu(y), f"{name}.audio_emb_layers.1")[..., None, None].chunk(2, 1)
        h = group_norm(h, self.groups, *self.two(f"{name}.out_layers.0"))
        h = (1 + y_s) * ((1 + t_s) * h + t_b) + y_b  # eq. 17
        h = convolution(silu(h), *self.two(f"{name}.out_layers.3"))
        skip = resampled(x)
        if f"{name}.skip_connection.weight" in self.weights:
            skip = convolution(skip, *self.two(f"{name}.skip_connection"))
        return skip + h

    def attention(self, x: Tensor, name: str) -> Tensor:
        flat = x.flatten(2)
        weight, bias = self.two(f"{name}.qkv")
        qkv = weight[:, :, 0] @ group_norm(flat, self.groups, *self.two(f"{name}.norm"))
        qkv = qkv + bias[:, None]
        heads = []
        for part in qkv.split(3 * self.head, dim=1):  # each head's q, k, v lie together
            q, k, v = part.split(self.head, dim=1)
            weights = torch.softmax(q.transpose(1, 2) @ k / math.sqrt(self.head), dim=2)
            heads.append((weights @ v.transpose(1, 2)).transpose(1, 2))
        weight, bias = self.two(f"{name}.proj_out")
        return (flat + weight[:, :, 0] @ torch.cat(heads, 1) + bias[:, None]).reshape(x.shape)

    def block(self, x: Tensor, name: str, t: Tensor, y: Tensor, resample: dict[str, str]) -> Tensor:
        for index in range(3):
            layer = f"{name}.{index}"
            if f"{layer}.qkv.weight" in self.weights:
                x = self.attention(x, layer)
            elif f"{layer}.in_layers.0.weight" in self.weights:
                x = self.residual(x, layer, t, y, resample.get(layer, ""))
            elif f"{layer}.weight" in self.weights:
                x = convolution(x, *self.two(layer))
        return x

    def __call__(
        self, x: Tensor, t: Tensor, y: Tensor, blocks: int, resample: dict[str, str]
    ) -> Tensor:
        t = self.linear(silu(self.linear(t, "time_embed.fc.0")), "time_embed.fc.2")
        y = self.linear(silu(self.linear(y, "audio_embed.0")), "audio_embed.2")
        kept = []
        for index in range(blocks):
            x = self.block(x, f"input_blocks.{index}", t, y, resample)
            kept.append(x)
        x = self.block(x, "middle_block", t, y, resample)
        for index in range(blocks):
            x = torch.cat([x, kept.pop()], 1)
            x = self.block(x, f"output_blocks.{index}", t, y, resample)
        x = silu(group_norm(x, self.groups, *self.two("out.0")))
        return convolution(x, *self.two("out.2"))


def inputs(config: UNetConfig) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """x, t, identity, motion, speech."""
    size = config.image_size
    motion = config.motion_frames * config.motion_channels
    speech = noise(2, config.speech_window, config.base_channels, seed=4)
    frames = (noise(2, channels, size, size, seed=channels) for channels in (3, motion, 3))
    x, before, identity = frames
    return x, torch.tensor([3, 40]), identity + 1, before, speech


def fold(x: Tensor, side: int) -> Tensor:
    """Each square of side x side pixels becomes channels, row by row."""
    parts = [x[:, :, i::side, j::side] for i in range(side) for j in range(side)]
    return torch.stack(parts, 2).flatten(1, 2)
