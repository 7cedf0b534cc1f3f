"""A method file read and checked: every field by name and type, every path and placeholder."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from benchmarks.systems.methods import (
    PLACEHOLDER,
    PLACEHOLDERS,
    Driving,
    Input,
    Method,
    Need,
    Output,
    Step,
    TextFile,
)
from pipeline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PARTS: Mapping[str, type] = {
    "input": Input, "output": Output, "steps": Step, "needs": Need, "files": TextFile,
}  # fmt: skip


def read_method(path: Path) -> Method:
    """Reads and checks a method file.

    Raises:
        UserError: it does not parse, lacks a field, has an unknown one, or names a placeholder
            that there is not.
    """
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} does not read as TOML: {error}") from error
    method = _taken(Method, table, str(path))
    _check(method, path)
    return method


def _taken(kind: type, table: Any, where: str) -> Any:
    """A dataclass from a table of the file, its fields checked by name and type."""
    if not isinstance(table, dict):
        raise UserError(f"{where} must be a table of fields")
    known = {one.name: one for one in fields(kind)}
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise UserError(f"{where} has an unknown field {unknown[0]!r}; known: {', '.join(known)}")
    lacking = [
        name
        for name, one in known.items()
        if one.default is MISSING and one.default_factory is MISSING and name not in table
    ]
    if lacking:
        raise UserError(f"{where} lacks the field {lacking[0]!r}")
    return kind(**{name: _value(name, value, str(known[name].type), where)
                   for name, value in table.items()})  # fmt: skip


def _value(name: str, value: Any, kind: str, where: str) -> Any:
    """One field: a part of its own, a list of those, or a plain value of the wanted type."""
    inside = f"{where}, {name}"
    if name in _PARTS and kind in {"Input", "Output"}:
        return _taken(_PARTS[name], value, inside)
    if name in _PARTS and isinstance(value, list):
        return tuple(_taken(_PARTS[name], one, inside) for one in value)
    plain = {
        "str": isinstance(value, str),
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, int | float) and not isinstance(value, bool),
        "Driving": value in get_args(Driving),
        "tuple[str, ...]": _all(value, str),
        "tuple[float, ...]": _all(value, int | float) and len(value) == 4,
        "Mapping[str, tuple[str, ...]]": isinstance(value, dict)
        and all(_all(one, str) for one in value.values()),
    }
    if not plain.get(kind):
        raise UserError(f"{inside}: {value!r} is not {_WANTED.get(kind, kind)}")
    if isinstance(value, dict):
        return {key: tuple(one) for key, one in value.items()}
    return tuple(value) if isinstance(value, list) else value


_WANTED = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "Driving": f"one of {', '.join(get_args(Driving))}",
    "tuple[str, ...]": "a list of texts",
    "tuple[float, ...]": "a list of four shares x0, y0, x1, y1",
}


def _all(value: Any, kind: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, kind) for one in value)


def _check_numbers(method: Method, path: Path) -> None:
    for what, number in (("skip", method.output.skip), ("lead", method.output.lead)):
        if number < 0:
            raise UserError(f"{path}: {what} {number} is less than 0")
    if method.input.size < 2 or method.input.size % 2:
        raise UserError(f"{path}: size {method.input.size} is not even and 2 or more")


def _check(method: Method, path: Path) -> None:
    for box in (method.input.frame, method.output.frame):
        x0, y0, x1, y1 = box
        if not (0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1):
            raise UserError(f"{path}: frame {list(box)} is not x0 < x1 and y0 < y1 within 0 and 1")
    _check_numbers(method, path)
    if bool(method.input.driving_video) != (method.input.driving != "none"):
        raise UserError(f"{path}: driving and driving_video must be given together")
    inside = [*method.input.face, *method.input.speech, method.input.still]
    inside += [method.input.driving_video, method.output.video, *method.private]
    inside += [one.path for one in method.files] + [step.cwd for step in method.steps]
    for one in inside:
        if Path(one).is_absolute() or ".." in Path(one).parts:
            raise UserError(f"{path}: {one!r} must lie inside the working folder")
    texts = [text for step in method.steps for text in step.args]
    texts += [one.text for one in method.files] + [need.path for need in method.needs]
    for text in texts:
        for found in PLACEHOLDER.findall(text):
            if found not in PLACEHOLDERS:
                raise UserError(
                    f"{path}: there is no placeholder {{{found}}}; known: {', '.join(PLACEHOLDERS)}"
                )
