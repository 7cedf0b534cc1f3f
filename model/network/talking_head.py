"""The model that is trained and sampled: the U-Net with its speech encoder."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, cast

from torch import Tensor, nn

from model.config.presets import Preset
from model.network.speech_encoder import PrecomputedEmbeddings, SpeechEncoder
from model.network.unet import UNet
from pipeline.choices import Speech


@dataclass(frozen=True)
class SpeechFormat:
    """The speech features a model takes, as `dataset.json` states them."""

    steps: int  # time steps of a window
    coefficients: int  # of each step
    mean: list[float]  # (coefficients,) over the training data
    std: list[float]  # (coefficients,)
    name: Speech = "mfcc"  # which features these are, see `pipeline.speech.features.SHAPES`
    # SHA-256 of the file of the encoder that made them; empty for mfcc, or where it is not known
    encoder: str = ""

    @classmethod
    def of(cls, speech: dict[str, Any]) -> SpeechFormat:
        """From the `speech` entry of a `dataset.json` or a checkpoint; the oldest have no name."""
        known = {field.name for field in fields(cls)}
        return cls(**{key: value for key, value in speech.items() if key in known})

    def fits(self, other: SpeechFormat) -> bool:
        """Whether the features are the same; an encoder that is not known fits any."""
        return (
            (self.name, self.steps, self.coefficients)
            == (other.name, other.steps, other.coefficients)
        ) and (not self.encoder or not other.encoder or self.encoder == other.encoder)


@dataclass(frozen=True)
class Conditions:
    """What a frame is drawn from."""

    identity: Tensor  # (B, 3, S, S) in [-1, 1]
    motion: Tensor  # (B, motion_frames x motion_channels, S, S) in [-1, 1], oldest first
    speech: Tensor  # (B, speech_window, F) features of frames k - m_y … k + m_y
    # (B,) how far the motion frames are corrupted, 0 … 1, for a network that takes it; None is the
    # recipe's `sampling_level`
    level: Tensor | None = None


class TalkingHead(nn.Module):
    """The network of the paper with an encoder for the speech features.

    `unet` is an existing network; None makes a fresh one.
    """

    def __init__(self, preset: Preset, speech: SpeechFormat, unet: nn.Module | None = None) -> None:
        super().__init__()
        self.speech = speech
        # A TorchScript network has the same forward, and nothing but that is used of it.
        self.unet = cast("UNet", unet) if unet is not None else UNet(preset.unet)
        width, mean, std = preset.unet.base_channels, speech.mean, speech.std
        self.speech_encoder: SpeechEncoder | PrecomputedEmbeddings
        if speech.name == "released":
            self.speech_encoder = PrecomputedEmbeddings(
                speech.coefficients, width, mean=mean, std=std
            )
        else:
            shape, hidden = (speech.steps, speech.coefficients, width), preset.speech_hidden
            self.speech_encoder = SpeechEncoder(*shape, hidden=hidden, mean=mean, std=std)
        # Reads the lip shape off a speech embedding; used in training only.
        self.lip_reader = nn.Linear(width, 40)
        self.level_embed = (
            nn.Sequential(nn.Linear(1, width), nn.SiLU(), nn.Linear(width, width))
            if preset.train.motion.level_as_input
            else None
        )
        self._sampled_level = preset.train.motion.sampling_level

    def forward(self, x: Tensor, t: Tensor, conditions: Conditions) -> Tensor:
        """(B, 3, S, S) noisy frames, (B,) steps and conditions to (B, 6, S, S)."""
        speech = self.embed_speech(conditions.speech, conditions.level)
        output: Tensor = self.unet(x, t, conditions.identity, conditions.motion, speech)
        return output

    def embed_speech(self, features: Tensor, level: Tensor | None = None) -> Tensor:
        """(B, …, F) features to (B, …, base), with the corruption level where the network takes it.

        The level, see `Conditions`, goes with the speech because that reaches every block of the
        network.
        """
        speech: Tensor = self.speech_encoder(features)
        if self.level_embed is None:
            return speech
        if level is None:
            level = features.new_full((len(features),), self._sampled_level)
        embedded = self.level_embed(level[:, None])  # (B, base)
        return speech + embedded.reshape(len(embedded), *[1] * (speech.ndim - 2), -1)
