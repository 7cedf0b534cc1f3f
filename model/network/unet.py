"""The paper's network: Dhariwal and Nichol's U-Net with time and speech (sections 3 and 5.1).

Modules carry the names of the released state dict (`input_blocks.0.0`, `middle_block.1.qkv`, …),
so that the authors' tensors load into this network as they are.
"""

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.config.architecture import UNetConfig
from model.network.blocks import (
    Attention,
    Block,
    Modulation,
    ResBlock,
    TimeEmbedding,
    modulation,
    zeroed,
)
from pipeline.runtimes.onednn import Conv2d


class UNet(nn.Module):
    """Predicts, from a noisy frame and its conditions, the target of the diffusion and ν."""

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
                out_channels = config.channel_mult[level] * config.base_channels
                layers: list[nn.Module] = [
                    ResBlock(channels + remaining.pop(), out_channels, config)
                ]
                channels = out_channels
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
        """One call of the network, to (B, 6, S, S): the prediction, and what ν is read from.

        x are (B, 3, S, S) noisy frames, t (B,) steps of the full diffusion, 0 … 999; `identity`
        (B, 3, S, S) and `motion` (B, motion_frames x motion_channels, S, S), oldest first, in
        [-1, 1]; `speech` (B, speech_window, base) embeddings, oldest first.
        """
        time = self.time_embed(t)  # (B, 4 base)
        embedded = self.audio_embed(speech.flatten(1))  # (B, 4 base)
        modulations = [
            modulation(block.t_emb_layers(time), block.audio_emb_layers(embedded))
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
        """The residual blocks in the order of the forward pass."""
        return [module for module in self.modules() if isinstance(module, ResBlock)]

    def trunk(self, h: Tensor, modulations: Sequence[Modulation]) -> Tensor:
        """All that follows the stem, from (B, base, s, s) to (B, 6, S, S) with s = S / patch.

        Each of `residuals` takes one of the modulations, see `model.network.blocks.modulation`.
        """
        following = iter(modulations)
        kept = [h]  # skip connections from the way down to the way up
        for block in self.input_blocks[1:]:
            h = block(h, following)
            kept.append(h)
        h = self.middle_block(h, following)
        for block in self.output_blocks:
            h = block(torch.cat([h, kept.pop()], dim=1), following)
        return F.pixel_shuffle(self.out(h), self.config.patch)
