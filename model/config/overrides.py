"""`--set FIELD=VALUE`: other values for the fields of a preset."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from model.config.presets import Preset, from_json
from pipeline.errors import UserError


def override(preset: Preset, changes: Iterable[str]) -> Preset:
    """A preset with some of its fields changed.

    Args:
        preset: to be changed.
        changes: `FIELD=VALUE` each; the field as a checkpoint's JSON has it, with dots
            (`train.motion.noise=0.2`), the value as JSON (`unet.channel_mult=[1,2,4]`) or a word.

    Raises:
        UserError: no such field, or a value that it cannot have.
    """
    data = asdict(preset)
    for change in changes:
        field, equals, text = change.partition("=")
        if not equals:
            raise UserError(f"--set {change}: give a value as well, as in --set {change}=VALUE")
        *parents, name = field.split(".")
        section: Any = data
        for parent in parents:
            section = section.get(parent) if isinstance(section, dict) else None
        if not isinstance(section, dict) or name not in section:
            prefix, known = ([], data) if not isinstance(section, dict) else (parents, section)
            fields = ", ".join(".".join([*prefix, key]) for key in known)
            raise UserError(f"--set {change}: no field {field!r}; the fields are {fields}")
        try:
            section[name] = json.loads(text)
        except json.JSONDecodeError:
            section[name] = text
    try:
        return from_json(data)
    except ValueError as error:
        raise UserError(f"--set {error}") from error
