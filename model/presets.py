"""Presets: everything that makes a model and its training, under a name."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from model.diffusion import DiffusionConfig
from model.recipe import MotionCorruption, TrainConfig
from model.unet import UNetConfig
from pipeline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable


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


def override(chosen: Preset, changes: Iterable[str]) -> Preset:
    """A preset with some of its fields changed.

    Args:
        chosen: the preset.
        changes: `FIELD=VALUE` each; the field as a checkpoint's JSON has it, with dots
            (`train.motion.noise=0.2`), the value as JSON (`unet.channel_mult=[1,2,4]`) or a word.

    Raises:
        UserError: no such field, a value of another kind, or a network that cannot be built.
    """
    data = chosen.as_json()
    for change in changes:
        path, equals, text = change.partition("=")
        *parents, name = path.split(".")
        place: Any = data
        for parent in parents:
            place = place.get(parent) if isinstance(place, dict) else None
        if not equals or not isinstance(place, dict) or name not in place:
            known = place if isinstance(place, dict) else data
            raise UserError(
                f"--set {change}: no field {path!r}; there are "
                + ", ".join(".".join([*parents, key]) if known is place else key for key in known)
            )
        place[name] = _parsed(change, text, place[name])
        choices = _choices(parents, name)
        if choices and place[name] not in choices:
            raise UserError(f"--set {change}: choose one of {', '.join(map(str, choices))}")
    changed = from_json(data)
    _refuse_impossible(changed)
    return changed


def _choices(parents: list[str], name: str) -> tuple[Any, ...]:
    """The values that a field of a preset may have; none where any of its kind will do."""
    kind: Any = Preset
    for parent in parents:
        kind = get_type_hints(kind)[parent]
    hint = get_type_hints(kind)[name]
    return get_args(hint) if get_origin(hint) is Literal else ()


def _refuse_impossible(chosen: Preset) -> None:
    """Makes sure that the network can be built and that training comes to an end.

    Raises:
        UserError: it cannot, or does not.
    """
    unet, train = chosen.unet, chosen.train
    whole = {
        "unet.base_channels": unet.base_channels,
        "unet.res_blocks": unet.res_blocks,
        "unet.norm_groups": unet.norm_groups,
        "unet.patch": unet.patch,
        "unet.motion_frames": unet.motion_frames,
        "diffusion.steps": chosen.diffusion.steps,
        "train.steps": train.steps,
        "train.batch_size": train.batch_size,
        "train.accumulate": train.accumulate,
        "train.frames_per_clip": train.frames_per_clip,
    }
    whole |= {f"unet.channel_mult[{at}]": value for at, value in enumerate(unet.channel_mult)}
    for name, value in whole.items():
        if not isinstance(value, int) or value < 1:
            raise UserError(f"--set {name}: a whole number of 1 or more, not {value!r}")
    if not unet.channel_mult:
        raise UserError("--set unet.channel_mult: one level at least")
    multiple = unet.patch << (len(unet.channel_mult) - 1)
    if unet.image_size < multiple or unet.image_size % multiple:
        raise UserError(
            f"--set unet.image_size: {unet.image_size} cannot be halved as often as the network "
            f"has levels; choose a multiple of {multiple}"
        )
    if unet.base_channels % unet.norm_groups:
        raise UserError(
            f"--set unet.base_channels: {unet.base_channels} cannot be divided into "
            f"{unet.norm_groups} groups (unet.norm_groups)"
        )


def _parsed(change: str, text: str, before: Any) -> Any:
    """A value of the kind that stood there before."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    if isinstance(before, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    kind = list if isinstance(before, tuple) else type(before)
    if type(value) is not kind:
        raise UserError(f"--set {change}: {text!r} is no {kind.__name__}")
    return value
