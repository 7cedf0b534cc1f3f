"""Blocks of the U-Net: time embedding, residual blocks modulated by time and speech, attention."""

import math
from collections.abc import Iterator
from typing import Literal, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.config.architecture import UNetConfig
from pipeline.runtimes.onednn import Conv2d

M = TypeVar("M", bound=nn.Module)
Modulation = tuple[Tensor, Tensor]


def time_embedding(t: Tensor, width: int, exponent: Literal["released", "standard"]) -> Tensor:
    """Cosines, then sines, of the step at falling frequencies, (B,) to (B, width) float32.

    The exponent is `UNetConfig.time_exponent`.
    """
    half = width // 2
    span = 2 * width if exponent == "released" else half
    i = torch.arange(half, dtype=torch.float32, device=t.device)
    angles = t.float()[:, None] * torch.exp(-math.log(10_000) * i / span)
    return torch.cat([angles.cos(), angles.sin()], dim=1)


class TimeEmbedding(nn.Module):
    """Timestep features through a two-layer perceptron: (B,) -> (B, 4 base)."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        base = config.base_channels
        self._width, self._exponent = base, config.time_exponent
        self.fc = nn.Sequential(nn.Linear(base, 4 * base), nn.SiLU(), nn.Linear(4 * base, 4 * base))

    def forward(self, t: Tensor) -> Tensor:
        """(B,) steps to (B, 4 base)."""
        return cast("Tensor", self.fc(time_embedding(t, self._width, self._exponent)))


def modulation(time: Tensor, speech: Tensor) -> Modulation:
    """The two affine maps of eq. 17 as one, which saves a pass over the feature map.

    (..., 2 C) of a block's `t_emb_layers`, t_s then t_b, and (..., 2 C) of its `audio_emb_layers`,
    y_s then y_b, to scale and shift, (..., C, 1, 1) each.
    """
    t_scale, t_shift = time[..., None, None].chunk(2, dim=-3)
    y_scale, y_shift = speech[..., None, None].chunk(2, dim=-3)
    return (1 + t_scale) * (1 + y_scale), t_shift * (1 + y_scale) + y_shift


class ResBlock(nn.Module):
    """Residual block modulated by time, then by speech (eq. 17), with optional resampling.

    h <- (1 + y_s) ((1 + t_s) GN(h) + t_b) + y_b, between the two convolutions. Resampling (nearest
    up, 2 x 2 mean down) comes before the first convolution, and on the skip.
    """

    def __init__(
        self,
        channels: int,
        out_channels: int,
        config: UNetConfig,
        resample: Literal["up", "down", "none"] = "none",
    ) -> None:
        super().__init__()
        embedding = 4 * config.base_channels
        self._resample = resample
        self.in_layers = nn.Sequential(
            nn.GroupNorm(config.norm_groups, channels),
            nn.SiLU(),
            Conv2d(channels, out_channels, 3, padding=1),
        )
        self.t_emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * out_channels))
        self.audio_emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, 2 * out_channels))
        self.out_layers = nn.Sequential(
            nn.GroupNorm(config.norm_groups, out_channels),
            nn.SiLU(),
            nn.Dropout(config.dropout),
            zeroed(Conv2d(out_channels, out_channels, 3, padding=1)),
        )
        self.skip_connection: nn.Module = (
            nn.Identity() if channels == out_channels else Conv2d(channels, out_channels, 1)
        )

    def forward(self, x: Tensor, modulation: Modulation) -> Tensor:
        """(B, C, H, W) and the output of `modulation` to (B, out_channels, H', W')."""
        norm, activation, convolution = self.in_layers
        h = convolution(self._resampled(activation(norm(x))))
        norm, *rest = self.out_layers
        scale, shift = modulation
        h = torch.addcmul(shift, norm(h), scale)
        for layer in rest:
            h = layer(h)
        return cast("Tensor", self.skip_connection(self._resampled(x)) + h)

    def _resampled(self, x: Tensor) -> Tensor:
        if self._resample == "up":
            return F.interpolate(x, scale_factor=2, mode="nearest")
        return F.avg_pool2d(x, 2) if self._resample == "down" else x


class Attention(nn.Module):
    """Self-attention over the pixels of a feature map; of qkv, each head's q, k, v lie together."""

    def __init__(self, channels: int, config: UNetConfig) -> None:
        super().__init__()
        self._heads = config.heads_of(channels)
        self.norm = nn.GroupNorm(config.norm_groups, channels)
        self.qkv = nn.Conv1d(channels, 3 * channels, 1)
        self.proj_out = zeroed(nn.Conv1d(channels, channels, 1))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        batch, channels, height, width = x.shape
        # Tokens are contiguous, (B, H W, C), as fused attention needs them.
        tokens = self.norm(x).permute(0, 2, 3, 1).reshape(batch, height * width, channels)
        qkv = F.linear(tokens, self.qkv.weight[..., 0], self.qkv.bias)
        # (B, H W, 3 C) to q, k, v of (B, heads, H W, C / heads) each.
        q, k, v = qkv.reshape(batch, height * width, self._heads, -1).transpose(1, 2).chunk(3, 3)
        h = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(tokens.shape)
        h = F.linear(h, self.proj_out.weight[..., 0], self.proj_out.bias)
        return x + h.transpose(1, 2).reshape(x.shape)


class Block(nn.ModuleList):
    """Layers in sequence; residual blocks are given their modulation."""

    def forward(self, x: Tensor, modulations: Iterator[Modulation]) -> Tensor:
        """A feature map through every layer; each residual block takes the next modulation."""
        for layer in self:
            x = layer(x, next(modulations)) if isinstance(layer, ResBlock) else layer(x)
        return x


def zeroed(module: M) -> M:
    """Sets a layer to zero, so that a block begins as the identity."""
    for parameter in module.parameters():
        nn.init.zeros_(parameter)
    return module
