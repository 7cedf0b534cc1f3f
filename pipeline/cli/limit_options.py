"""The limits of a curator as options of a command, from the fields of `Limits`."""

from __future__ import annotations

import functools
import inspect
import re
from dataclasses import fields
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.dataset.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Callable

_PANEL = "Which samples to keep"


def with_limits(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command an option for every limit; it gets them together as `limits`.

    Args:
        command: a function for typer with a parameter `limits`.
    """
    signature = inspect.signature(command, eval_str=True)
    own = [part for name, part in signature.parameters.items() if name != "limits"]
    parameters = [*own, *_options()]

    @functools.wraps(command)
    def wrapped(**values: Any) -> None:
        limits = Limits(**{field.name: values.pop(field.name) for field in fields(Limits)})
        command(**values, limits=limits)

    # Typer reads the signature; without __wrapped__ it sees this one and not the command's.
    del wrapped.__wrapped__
    shown = signature.replace(parameters=parameters)
    wrapped.__signature__ = shown  # type: ignore[attr-defined]
    wrapped.__annotations__ = {part.name: part.annotation for part in parameters}
    return wrapped


def _options() -> list[inspect.Parameter]:
    """A keyword parameter for each limit, its help from the class's docstring."""
    told = re.findall(
        r"^    (\w+): ((?:.|\n        )+)$", inspect.getdoc(Limits) or "", re.MULTILINE
    )
    helps = {name: re.sub(r"\s+", " ", text) for name, text in told}
    kinds = inspect.get_annotations(Limits, eval_str=True)
    options = []
    for field in fields(Limits):
        text = helps[field.name]
        option = typer.Option(
            help=text[0].upper() + text[1:],
            show_default=field.default is not None,
            rich_help_panel=_PANEL,
            metavar="NUMBER",
        )
        options.append(
            inspect.Parameter(
                field.name,
                inspect.Parameter.KEYWORD_ONLY,
                default=field.default,
                annotation=Annotated[kinds[field.name], option],
            )
        )
    return options
