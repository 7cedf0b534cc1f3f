"""Presets: everything that makes a model and its training, under a name."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from model.config.architecture import DiffusionConfig, UNetConfig
from model.config.recipe import MotionCorruption, TrainConfig
from pipeline.errors import UserError


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
        train=TrainConfig(
            **{**data["train"], "motion": MotionCorruption(**data["train"]["motion"])}
        ),
        speech_hidden=data["speech_hidden"],
    )


# CREMA: 6,600 training clips of about 65 frames; 3000 epochs of one frame a clip at 8 x 10.
_PAPER = TrainConfig(
    steps=250_000,
    batch_size=80,
    learning_rate=5e-5,
    decays=18,
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
    motion=MotionCorruption(noise=0.3),
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
