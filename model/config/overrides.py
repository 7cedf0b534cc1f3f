"""--set: other values for the fields of a preset, and what they may not be."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from model.config.presets import from_json
from pipeline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model.config.architecture import UNetConfig
    from model.config.presets import Preset

_KINDS = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "a word",
    list: "a list as in [1,2,4]",
}
# Numbers that count something there must be; the others may be 0, which does without.
_AT_LEAST_ONE = {
    "unet.image_size",
    "unet.base_channels",
    "unet.res_blocks",
    "unet.norm_groups",
    "unet.head_channels",
    "unet.motion_frames",
    "unet.patch",
    "diffusion.steps",
    "train.steps",
    "train.batch_size",
    "train.accumulate",
    "train.frames_per_clip",
    "speech_hidden",
}
_SHARES = {"unet.dropout", "train.cooldown", "train.drop_motion", "train.decay"}


def override(chosen: Preset, changes: Iterable[str]) -> Preset:
    """A preset with some of its fields changed.

    Args:
        chosen: the preset.
        changes: `FIELD=VALUE` each; the field as a checkpoint's JSON has it, with dots
            (`train.motion.noise=0.2`), the value as JSON (`unet.channel_mult=[1,2,4]`) or a word.

    Raises:
        UserError: no such field, or a value that it cannot have.
    """
    data = chosen.as_json()
    for change in changes:
        path, equals, text = change.partition("=")
        if not equals:
            raise UserError(f"--set {change}: give a value as well, as in --set {change}=VALUE")
        *parents, name = path.split(".")
        place: Any = data
        for parent in parents:
            place = place.get(parent) if isinstance(place, dict) else None
        if not isinstance(place, dict) or name not in place:
            known = place if isinstance(place, dict) else data
            raise UserError(
                f"--set {change}: no field {path!r}; there are "
                + ", ".join(".".join([*parents, key]) if known is place else key for key in known)
            )
        place[name] = _parsed(change, text, place[name])
        _refuse_number(change, path, place[name])
    changed = from_json(data)
    for part, config in (("unet", changed.unet), ("diffusion", changed.diffusion)):
        _refuse_word(part, config)
    _refuse_word("train", changed.train)
    _refuse_shape(changed.unet)
    return changed


def _parsed(change: str, text: str, before: Any) -> Any:
    """A value of the kind that stood there before."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        value = text
    if isinstance(before, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    kind = list if isinstance(before, tuple) else type(before)
    fits = type(value) is kind
    if fits and kind is list:
        fits = all(type(entry) is int and entry > 0 for entry in value)
    if not fits:
        raise UserError(f"--set {change}: {text!r} is not {_KINDS[kind]}")
    return value


def _refuse_number(change: str, path: str, value: Any) -> None:
    """Refuses a number that the field cannot be."""
    if not isinstance(value, int | float):
        return
    least, most = int(path in _AT_LEAST_ONE), 1 if path in _SHARES else math.inf
    if not least <= value <= most or math.isinf(value):
        bounds = f"from {least} to {most}" if path in _SHARES else f"{least} or more"
        raise UserError(f"--set {change}: must be {bounds}")


def _refuse_word(part: str, config: object) -> None:
    """Refuses a word, or one of a few numbers, that means nothing."""
    for name, hint in get_type_hints(type(config)).items():
        value = getattr(config, name)
        if get_origin(hint) is Literal and value not in get_args(hint):
            known = ", ".join(map(str, get_args(hint)))
            raise UserError(f"--set {part}.{name}={value}: must be one of {known}")


def _refuse_shape(unet: UNetConfig) -> None:
    """Refuses a network whose levels do not halve the picture, or whose groups do not fit."""
    if not unet.channel_mult:
        raise UserError("--set unet.channel_mult=[]: the network needs a level at least")
    halved = len(unet.channel_mult) - 1
    if unet.image_size % (unet.patch << halved):
        raise UserError(
            f"unet.image_size {unet.image_size} must be a multiple of {unet.patch << halved}: "
            f"patches of {unet.patch} pixels, halved {halved} times"
        )
    if unet.base_channels % unet.norm_groups:
        raise UserError(
            f"unet.base_channels {unet.base_channels} must be a multiple of unet.norm_groups "
            f"{unet.norm_groups}"
        )
