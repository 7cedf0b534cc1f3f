"""Presets: everything that makes a model and its training, under a name."""

import json
from dataclasses import replace
from typing import Any

from pydantic import PositiveInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from model.config.architecture import CHECKED, DiffusionConfig, UNetConfig
from model.config.recipe import Augmentation, MotionCorruption, TrainConfig
from pipeline.errors import UserError


@dataclass(frozen=True, config=CHECKED)
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
    speech_hidden: PositiveInt = 128


def from_json(data: dict[str, Any]) -> Preset:
    """A preset from what a checkpoint holds of it, of this or an older version.

    A ValueError says in one sentence which field is missing, not known, or has a value that it
    cannot have.
    """
    try:
        # As JSON, whose lists are tuples.
        return TypeAdapter(Preset).validate_json(json.dumps(data))
    except ValidationError as error:
        # `train.steps=0: should be greater than 0`, from the first of pydantic's findings.
        problem = error.errors()[0]
        field, given = ".".join(map(str, problem["loc"])), problem["input"]
        message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
        value = "" if isinstance(given, dict) else f"={given}"
        raise ValueError(f"{field}{value}: {message}") from error


# CREMA: 6,600 training clips of about 65 frames; 3000 epochs of one frame a clip at 8 x 10.
_PAPER = TrainConfig(
    steps=250_000,
    batch_size=80,
    learning_rate=5e-5,
    decays=18,
    decay=0.8,
)

# A small network learns in minutes to hours by predicting v, without convolutions at full size,
# with averaged weights, and with conditions too noisy to be copied or memorised.
_SMALL = UNetConfig(res_blocks=1, attention_resolutions=(), norm_groups=8, dropout=0.0, patch=4)
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
# Few people stand for many.
_AUGMENTED = Augmentation(mirror=0.5, similarity=0.06, colour=0.06, blur=0.4, level=6, voice=0.12)
# With the identity frame as prior mean a face is there from the first steps on; s as measured in
# benchmarks/learning/README.md.
_PRIOR = replace(_V, identity_prior=0.2)

PRESETS = {
    preset.name: preset
    for preset in (
        Preset("crema", UNetConfig(), DiffusionConfig(), _PAPER),
        Preset("lrw", UNetConfig(motion_channels=1), DiffusionConfig(), _PAPER),
        Preset(
            "grid", replace(_SMALL, base_channels=64, channel_mult=(1, 2, 3, 4)), _PRIOR, _QUICK
        ),
        # Heads of many people move further from the identity frame than one speaker's.
        Preset(
            "people",
            replace(_SMALL, base_channels=64, channel_mult=(1, 2, 3, 4)),
            replace(_V, identity_prior=0.3),
            replace(_QUICK, augmentation=_AUGMENTED),
        ),
        Preset(
            "tiny",
            replace(_SMALL, base_channels=48),
            _PRIOR,
            replace(
                _QUICK,
                steps=600,
                learning_rate=1e-3,
                warmup=50,
                ema_half_life=30,
                timestep_power=0.4,
            ),
        ),
    )
}


def preset(name: str) -> Preset:
    """A preset by name.

    Raises:
        UserError: no preset has that name.
    """
    if name not in PRESETS:
        raise UserError(f"unknown preset {name!r}; choose one of {', '.join(PRESETS)}")
    return PRESETS[name]
