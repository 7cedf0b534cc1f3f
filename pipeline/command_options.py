"""Options of a typer command from dataclasses: a field is declared once, with help and bounds.

    @app.command()
    @dataclass_options
    def run(source: str, *, options: PrepOptions) -> None: ...

gives `run` an option for every field of `PrepOptions`, and `options` an instance made of them.
"""

from __future__ import annotations

import functools
import inspect
import re
import types
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Annotated, Any, Union, cast, get_args, get_origin, get_type_hints

import typer
from annotated_types import Ge, Gt, Le
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from pipeline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class CommandOption:
    """How a field appears on the command line, where its annotation and docstring do not say.

    It stands in the field's annotation: `steps: Annotated[int, CommandOption(panel="The work")]`.

    Attributes:
        shown: whether the field is an option at all; one that is not keeps its default.
        names: as they are typed, if other than `--` and the field's name: `("--set",)`; a flag
            gets `--no-…` only if it is named so.
        panel: heading in `--help` under which the option stands.
        metavar: word for the value in `--help`.
        default_text: what `--help` gives as the default, if other than the default itself.
    """

    shown: bool = True
    names: tuple[str, ...] = ()
    panel: str | None = None
    metavar: str | None = None
    default_text: str | None = None


def dataclass_options(command: Callable[..., None]) -> Callable[..., None]:
    """Gives a command an option for each field of its parameters that are dataclasses.

    Help comes from `Attributes:` in the class's docstring, choices from `Literal`, bounds from
    pydantic's `Field(ge=…, le=…)` in the annotation; a field that is a dataclass itself is replaced
    by its own fields. What pydantic refuses becomes a `UserError` that names the option. Two
    dataclasses of a command must not share a field name.

    Args:
        command: a function for typer, whose dataclass parameters are keyword-only.
    """
    signature = inspect.signature(command, eval_str=True)
    kinds: dict[str, type] = {}
    parameters: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if is_dataclass(parameter.annotation) and isinstance(parameter.annotation, type):
            kinds[name] = parameter.annotation
            parameters += _parameters(parameter.annotation)
        else:
            parameters.append(parameter)

    @functools.wraps(command)
    def wrapped(**values: Any) -> None:
        built = {name: _instance(kind, values) for name, kind in kinds.items()}
        command(**values, **built)

    # Typer reads the signature; with __wrapped__ it would find the command's own.
    del wrapped.__wrapped__
    shown = signature.replace(parameters=parameters)
    wrapped.__signature__ = shown  # type: ignore[attr-defined]
    wrapped.__annotations__ = {part.name: part.annotation for part in parameters}
    return wrapped


def attribute_help(kind: type) -> dict[str, str]:
    """What the docstrings of a dataclass and of its bases say of each attribute."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        doc = inspect.cleandoc(base.__doc__ or "")
        entries = re.findall(r"^    (\w+): ((?:.|\n        )+)$", doc, re.MULTILINE)
        found |= {name: re.sub(r"\s+", " ", text) for name, text in entries}
    return found


def _parameters(kind: type) -> Iterator[inspect.Parameter]:
    """A keyword parameter for each field, annotated as typer reads it."""
    helps = attribute_help(kind)
    for field, annotation, metadata in _described_fields(kind):
        if is_dataclass(annotation) and isinstance(annotation, type):
            yield from _parameters(annotation)
            continue
        how = next((part for part in metadata if isinstance(part, CommandOption)), CommandOption())
        if not how.shown:
            continue
        default = _default(field)
        is_flag = annotation is bool and not how.names
        names = (f"--{field.name.strip('_').replace('_', '-')}",) if is_flag else how.names
        text = helps.get(field.name, "")
        option = typer.Option(
            *names,
            help=text[:1].upper() + text[1:],
            rich_help_panel=how.panel,
            metavar=how.metavar,
            show_default=how.default_text or default not in (None, "", ...),
            **_bounds(annotation, metadata),
        )
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if default is ... else default,
            annotation=Annotated[annotation, option],
        )


def _described_fields(kind: Any) -> Iterator[tuple[Field[Any], Any, list[Any]]]:
    """(field, annotation without metadata, metadata) of each field that `__init__` takes."""
    hints = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        if field.init:
            metadata: list[Any] = []
            annotation = _without_metadata(hints[field.name], metadata)
            if isinstance(field.default, FieldInfo):  # of a pydantic dataclass
                metadata += field.default.metadata
            yield field, annotation, metadata


def _without_metadata(annotation: Any, metadata: list[Any]) -> Any:
    """The annotation without `Annotated` at any depth of a union; its metadata is appended."""
    if get_origin(annotation) is Annotated:
        inner, *found = get_args(annotation)
        for part in found:
            metadata += part.metadata if isinstance(part, FieldInfo) else [part]
        return _without_metadata(inner, metadata)
    if get_origin(annotation) in (Union, types.UnionType):
        parts = [_without_metadata(part, metadata) for part in get_args(annotation)]
        return Union[tuple(parts)]  # noqa: UP007 - the parts are known at run time only
    return annotation


def _default(field: Field[Any]) -> Any:
    """The default of a field, Ellipsis if it has none."""
    if isinstance(field.default, FieldInfo):
        default = field.default.get_default(call_default_factory=True)
    elif field.default_factory is not MISSING:
        default = field.default_factory()
    else:
        default = field.default
    return ... if default is MISSING or repr(default) == "PydanticUndefined" else default


def _bounds(annotation: Any, metadata: list[Any]) -> dict[str, Any]:
    """Least and greatest value as typer shows and checks them."""
    bounds: dict[str, Any] = {}
    whole = annotation is int or int in get_args(annotation)
    for part in metadata:
        match part:
            case Ge(ge=least):
                bounds["min"] = least
            case Gt(gt=least) if whole:
                bounds["min"] = cast("int", least) + 1
            case Le(le=most):
                bounds["max"] = most
    return bounds


def _instance(kind: Any, values: dict[str, Any]) -> Any:
    """The dataclass made of its options, which are taken out of `values`.

    Raises:
        UserError: pydantic refuses a value.
    """
    given = {}
    for field, annotation, _ in _described_fields(kind):
        if is_dataclass(annotation):
            given[field.name] = _instance(annotation, values)
        elif field.name in values:
            given[field.name] = values.pop(field.name)
    try:
        return kind(**given)
    except ValidationError as error:
        problem = error.errors()[0]
        option = str(problem["loc"][0]).strip("_").replace("_", "-")
        message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
        raise UserError(f"--{option} {problem['input']} {message}") from error
