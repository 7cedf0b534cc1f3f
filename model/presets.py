"""Presets: everything that makes a model and its training, under a name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from model.diffusion import DiffusionConfig
from model.unet import UNetConfig
from pipeline.errors import UserError


@dataclass(frozen=True)
class TrainConfig:
    """The recipe.

    Attributes:
        steps: optimiser steps.
        batch_size: frames a step.
        learning_rate: of Adam.
        warmup: steps of linear warm-up.
        decay_every: the rate is multiplied by `decay` each time this many steps have passed; 0 is
            never. (The paper: x 0.8 every 1/18 of the run.)
        decay: see `decay_every`.
        cooldown: share of the run, at its end, over which the rate falls to zero on a line.
        clip_norm: largest norm of the gradient; 0 is no limit (the paper).
        ema_half_life: of the averaged weights, in steps; 0 is no averaging (the paper).
        drop_motion: share of training frames whose motion frames are replaced by the identity
            frame, as at the start of a clip; makes the network listen.
        motion_noise: largest standard deviation of the noise on motion frames, in their range of
            [-1, 1]; each training frame draws its own. In sampling the motion frames are generated
            ones, whose flaws a network that saw clean ones would copy and let grow.
        speech_noise: standard deviation of the noise on speech features, in units of each
            coefficient's own; half of it is common to a frame's windows, as another microphone
            would be. Keeps a network that hears few recordings from knowing them by heart.
        lambda_lips: weight of an auxiliary loss: the target's lip shape, read off its speech
            embedding by a linear layer. The embeddings then say what lips do long before the
            network's own gradient would have taught them; 0 in the paper.
        frames_per_clip: training frames drawn each time a clip is read.
    """

    steps: int
    batch_size: int
    learning_rate: float
    warmup: int = 0
    decay_every: int = 0
    decay: float = 0.8
    cooldown: float = 0.0
    clip_norm: float = 0.0
    ema_half_life: float = 0.0
    drop_motion: float = 0.0
    motion_noise: float = 0.0
    speech_noise: float = 0.0
    lambda_lips: float = 0.0
    frames_per_clip: int = 8


@dataclass(frozen=True)
class Preset:
    """A model, its diffusion and its recipe.

    Attributes:
        name: on the command line.
        unet: the network.
        diffusion: what it predicts.
        train: how it is trained.
        speech_hidden: channels of the speech encoder.
    """

    name: str
    unet: UNetConfig
    diffusion: DiffusionConfig
    train: TrainConfig
    speech_hidden: int = 128

    def as_json(self) -> dict[str, Any]:
        """For checkpoints."""
        return asdict(self)


def from_json(data: dict[str, Any]) -> Preset:
    """A preset from what `as_json` gave."""
    unet: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in data["unet"].items()
    }
    return Preset(
        name=data["name"],
        unet=UNetConfig(**unet),
        diffusion=DiffusionConfig(**data["diffusion"]),
        train=TrainConfig(**data["train"]),
        speech_hidden=data["speech_hidden"],
    )


# CREMA: 6,600 training clips of about 65 frames; 3000 epochs of one frame a clip at 8 x 10.
_PAPER = TrainConfig(
    steps=250_000,
    batch_size=80,
    learning_rate=5e-5,
    decay_every=13_900,
    decay=0.8,
)

# What lets a small network learn in minutes to hours: v, no convolutions at full size, averaged
# weights, and conditions too unreliable to be copied or known by heart.
_SMALL = UNetConfig(res_blocks=1, attention_resolutions=(), norm_groups=8, dropout=0.0, patch=2)
_QUICK = TrainConfig(
    steps=20_000,
    batch_size=16,
    learning_rate=5e-4,
    warmup=200,
    cooldown=0.3,
    clip_norm=1.0,
    ema_half_life=500,
    drop_motion=0.5,
    motion_noise=0.3,
    speech_noise=0.5,
    lambda_lips=0.1,
)
_V = DiffusionConfig(prediction="v", lambda_ls=0.5)

PRESETS = {
    preset.name: preset
    for preset in (
        Preset("crema", UNetConfig(), DiffusionConfig(), _PAPER),
        Preset("lrw", UNetConfig(motion_channels=1), DiffusionConfig(), _PAPER),
        Preset("grid", replace(_SMALL, base_channels=64, channel_mult=(1, 2, 3, 4)), _V, _QUICK),
        Preset(
            "tiny",
            replace(_SMALL, image_size=64, base_channels=48),
            _V,
            replace(_QUICK, steps=800, learning_rate=1e-3, warmup=50, ema_half_life=30),
        ),
    )
}


def preset(name: str) -> Preset:
    """A preset by name.

    Raises:
        UserError: there is none of that name.
    """
    if name not in PRESETS:
        raise UserError(f"unknown preset {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
