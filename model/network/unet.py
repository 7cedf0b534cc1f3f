"""The paper's network: Dhariwal and Nichol's U-Net, told time and speech (sections 3 and 5.1).

Modules carry the names of the released state dict (`input_blocks.0.0`, `middle_block.1.qkv`, …),
so that the authors' tensors load into this network as they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.network.blocks import Attention, Block, ResBlock, TimeEmbedding, modulation, zeroed
from pipeline.runtimes.onednn import Conv2d

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model.network.blocks import Modulation


@dataclass(frozen=True)
class UNetConfig:
    """Shape of the network.

    Where the paper's text and the released network differ, the defaults are the released one's, so
    that its weights fit and mean what they meant:

    - attention: the text has it in the middle block alone, with 4 heads; the released
      configuration has it at 32 x 32 as well (`attention_resolutions`). It names 4 heads too, but
      also heads of 64 channels, which take precedence: 12 of them in the 768 channels of these
      layers (`heads`, `head_channels`). The text's: `attention_resolutions=(), heads=4`.
    - time: the released frequencies fall four times more slowly than the usual ones of
      Dhariwal and Nichol, from whom the text takes its network (`time_exponent`).

    Attributes:
        image_size: side S of the frames in pixels.
        base_channels: channels of the first level, and width of a speech embedding.
        channel_mult: channels of each level in multiples of `base_channels`.
        res_blocks: residual blocks a level.
        attention_resolutions: sides of the feature maps with attention, besides the middle block.
            The paper's text has none; the released configuration has 32.
        head_channels: channels of an attention head.
        heads: attention heads of every attention layer, however wide it is (the paper's text: 4);
            0 takes as many as have `head_channels` each.
        norm_groups: groups of GroupNorm; 32 in the paper, fewer for networks so narrow that a group
            would be one channel.
        dropout: in residual blocks.
        motion_channels: 3 for RGB motion frames (the paper's CREMA), 1 for grey ones (LRW).
        motion_frames: how many frames before the target are given.
        speech_context: embeddings m_y on either side of the target's.
        patch: side of the square of pixels that is folded into channels before the stem and
            unfolded after the last layer; 1 in the paper. 2 spares a narrow network the
            convolutions at full size, which cost it most and teach it least.
        time_exponent: `released`: frequencies 10^(-4 i / (2 base)), as the released weights were
            trained with; `standard`: 10^(-4 i / (base / 2)), as in the literature.
    """

    image_size: int = 128
    base_channels: int = 256
    channel_mult: tuple[int, ...] = (1, 2, 3)
    res_blocks: int = 2
    attention_resolutions: tuple[int, ...] = (32,)
    head_channels: int = 64
    heads: int = 0
    norm_groups: int = 32
    dropout: float = 0.1
    motion_channels: Literal[1, 3] = 3
    motion_frames: int = 2
    speech_context: int = 2
    patch: int = 1
    time_exponent: Literal["released", "standard"] = "released"

    @property
    def in_channels(self) -> int:
        """Noisy frame, motion frames and identity frame (eq. 16)."""
        return 3 + self.motion_frames * self.motion_channels + 3

    @property
    def speech_window(self) -> int:
        """Number of speech embeddings that a frame is given."""
        return 2 * self.speech_context + 1

    def heads_of(self, channels: int) -> int:
        """Attention heads of a layer of so many channels."""
        return self.heads or max(1, channels // self.head_channels)


class UNet(nn.Module):
    """Predicts, from a noisy frame and its conditions, the target of the diffusion and ν.

    Args:
        config: shape of the network.
    """

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        base = config.base_channels
        self.time_embed = TimeEmbedding(config)
        self.audio_embed = nn.Sequential(
            nn.Linear(config.speech_window * base, 4 * base),
            nn.SiLU(),
            nn.Linear(4 * base, 4 * base),
        )
        self.input_blocks, skips = self._build_input()
        channels = skips[-1]
        self.middle_block = Block(
            [
                ResBlock(channels, channels, config),
                Attention(channels, config),
                ResBlock(channels, channels, config),
            ]
        )
        self.output_blocks = self._build_output(skips)
        self.out = nn.Sequential(
            nn.GroupNorm(config.norm_groups, base),
            nn.SiLU(),
            zeroed(Conv2d(base, 6 * config.patch**2, 3, padding=1)),
        )

    def _build_input(self) -> tuple[nn.ModuleList, list[int]]:
        """The way down, and the channels of every feature map kept for the way up."""
        config = self.config
        channels, size = config.base_channels, config.image_size // config.patch
        folded = config.in_channels * config.patch**2
        blocks = nn.ModuleList([Block([Conv2d(folded, channels, 3, padding=1)])])
        kept = [channels]
        for level, multiple in enumerate(config.channel_mult):
            if level:
                size //= 2
                blocks.append(Block([ResBlock(channels, channels, config, "down")]))
                kept.append(channels)
            for _ in range(config.res_blocks):
                layers: list[nn.Module] = [
                    ResBlock(channels, multiple * config.base_channels, config)
                ]
                channels = multiple * config.base_channels
                if size in config.attention_resolutions:
                    layers.append(Attention(channels, config))
                blocks.append(Block(layers))
                kept.append(channels)
        return blocks, kept

    def _build_output(self, kept: list[int]) -> nn.ModuleList:
        """The way up, taking back what the way down kept, last first."""
        config = self.config
        channels, remaining = kept[-1], list(kept)
        size = config.image_size // config.patch >> (len(config.channel_mult) - 1)
        blocks = nn.ModuleList()
        for level in reversed(range(len(config.channel_mult))):
            for index in range(config.res_blocks + 1):
                wanted = config.channel_mult[level] * config.base_channels
                layers: list[nn.Module] = [ResBlock(channels + remaining.pop(), wanted, config)]
                channels = wanted
                if size in config.attention_resolutions:
                    layers.append(Attention(channels, config))
                if level and index == config.res_blocks:
                    layers.append(ResBlock(channels, channels, config, "up"))
                    size *= 2
                blocks.append(Block(layers))
        return blocks

    def forward(
        self, x: Tensor, t: Tensor, identity: Tensor, motion: Tensor, speech: Tensor
    ) -> Tensor:
        """One call of the network.

        Args:
            x: (B, 3, S, S) noisy frames.
            t: (B,) steps of the full diffusion, 0 … 999.
            identity: (B, 3, S, S) identity frames in [-1, 1].
            motion: (B, motion_frames x motion_channels, S, S) in [-1, 1], oldest first.
            speech: (B, speech_window, base) speech embeddings, oldest first.

        Returns:
            (B, 6, S, S): the prediction, and the output that ν is read from.
        """
        time = self.time_embed(t)
        sound = self.audio_embed(speech.flatten(1))
        modulations = [
            modulation(block.t_emb_layers(time), block.audio_emb_layers(sound))
            for block in self.residuals
        ]
        h = self.stem(F.pixel_unshuffle(torch.cat([x, motion, identity], dim=1), self.config.patch))
        return self.trunk(h, modulations)

    @property
    def stem(self) -> nn.Conv2d:
        """The first convolution, over the noisy frame, the motion frames and the identity."""
        return cast("nn.Conv2d", cast("Block", self.input_blocks[0])[0])

    @property
    def residuals(self) -> list[ResBlock]:
        """The residual blocks in the order in which they are passed."""
        return [module for module in self.modules() if isinstance(module, ResBlock)]

    def trunk(self, h: Tensor, modulations: Sequence[Modulation]) -> Tensor:
        """All that follows the stem: `modulations` has one entry for each of `residuals`."""
        following = iter(modulations)
        kept = [h]
        for block in self.input_blocks[1:]:
            h = block(h, following)
            kept.append(h)
        h = self.middle_block(h, following)
        for block in self.output_blocks:
            h = block(torch.cat([h, kept.pop()], dim=1), following)
        return F.pixel_shuffle(self.out(h), self.config.patch)
