"""What is wrong with a file that a user wrote, in a sentence that names the field."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydantic import ValidationError

_UNKNOWN = "unexpected_keyword_argument"  # named first: often what is lacking, misspelt


def first_problem(error: ValidationError) -> str:
    """`lacks output.video` or `output.skip is -1: should be greater than or equal to 0`."""
    problems = sorted(error.errors(), key=lambda one: one["type"] != _UNKNOWN)
    kind, given = problems[0]["type"], problems[0]["input"]
    fields = [".".join(map(str, one["loc"])) for one in problems if one["type"] == kind]
    if kind == _UNKNOWN:
        return f"has an unknown field {fields[0]!r}"
    if kind == "missing":
        return f"lacks {', '.join(fields)}"
    message = problems[0]["msg"].removeprefix("Value error, ").removeprefix("Input ")
    shown = f" is {given!r}" if isinstance(given, str | int | float) else ""
    return f"{fields[0]}{shown}: {message}"
