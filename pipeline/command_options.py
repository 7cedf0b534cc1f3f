"""Options of a typer command from dataclasses, so that a field is declared once.

    @app.command()
    @dataclass_options
    def run(source: str, *, options: PrepOptions) -> None: ...

gives `run` an option for each field of `PrepOptions`, and `options` an instance made of them.
Help comes from `Attributes:` in the class's docstring, choices from `Literal`, the default from the
field. What else typer should know stands in the annotation; a field can also be left out:

    steps: Annotated[int | None, typer.Option(show_default="the preset's")] = None
    digest: Annotated[str, NO_OPTION] = ""

A field that is a dataclass itself is replaced by its own fields, unless its annotation has a
`parser`, which makes one of a single word. Bounds are checked when the
instance is made: `Annotated[int, pydantic.Field(ge=1)]` in a pydantic dataclass.
"""

import inspect
import re
from collections.abc import Callable, Iterator
from copy import copy
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, get_type_hints

import typer
from pydantic import ValidationError
from typer.models import OptionInfo

from pipeline.errors import UserError

NO_OPTION = "no option"  # in an annotation: the field always has its default on the command line


def dataclass_options(command: Callable[..., None]) -> Callable[..., None]:
    """Replaces the parameters of a command that are dataclasses by an option for each field.

    Args:
        command: a function for typer; its dataclass parameters are keyword-only, and no two of them
            share a field name.

    Returns:
        The command for typer. It raises a `UserError` that names the option where pydantic refuses
        a value.
    """
    signature = inspect.signature(command, eval_str=True)
    classes = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if is_dataclass(parameter.annotation)
    }
    parameters = [
        option
        for name, parameter in signature.parameters.items()
        for option in (_options(classes[name]) if name in classes else [parameter])
    ]

    def wrapped(**values: Any) -> None:
        made = {name: _instance(kind, values) for name, kind in classes.items()}
        command(**values, **made)

    wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
    wrapped.__annotations__ = {part.name: part.annotation for part in parameters}
    wrapped.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=parameters
    )
    return wrapped


def attribute_help(kind: type) -> dict[str, str]:
    """What the docstrings of a dataclass and of its bases say of each attribute."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        doc = inspect.cleandoc(base.__doc__ or "")
        entries = re.findall(r"^    (\w+): ((?:.|\n        )+)$", doc, re.MULTILINE)
        found |= {name: re.sub(r"\s+", " ", text) for name, text in entries}
    return found


def _options(kind: Any) -> Iterator[inspect.Parameter]:
    """A keyword parameter for each field, annotated as typer reads it."""
    helps, plain = attribute_help(kind), get_type_hints(kind)
    annotated = get_type_hints(kind, include_extras=True)
    for field in fields(kind):
        annotation = plain[field.name]
        metadata = getattr(annotated[field.name], "__metadata__", ())
        if NO_OPTION in metadata:
            continue
        given = [part for part in metadata if isinstance(part, OptionInfo)]
        option = copy(given[0]) if given else typer.Option()
        if is_dataclass(annotation) and option.parser is None:
            yield from _options(annotation)
            continue

        # The option as the annotation has it, with help, and without --no-… for a flag.
        text = helps.get(field.name, "")
        option.help = option.help or text[:1].upper() + text[1:]
        default = field.default if field.default_factory is MISSING else field.default_factory()
        if annotation is bool and not (option.param_decls or isinstance(option.default, str)):
            option.param_decls = (_option_name(field.name),)
        if default in (None, "") and option.show_default is True:
            option.show_default = False
        yield inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if default is MISSING else default,
            annotation=Annotated[annotation, option],
        )


def _instance(kind: Any, values: dict[str, Any]) -> Any:
    """The dataclass made of its options, which are taken out of `values`."""
    given, annotated = {}, get_type_hints(kind, include_extras=True)
    for name, annotation in get_type_hints(kind).items():
        if NO_OPTION in getattr(annotated[name], "__metadata__", ()):
            continue
        if name in values:
            given[name] = values.pop(name)
        elif is_dataclass(annotation):
            given[name] = _instance(annotation, values)
    try:
        return kind(**given)
    except ValidationError as error:
        problem = error.errors()[0]
        message = problem["msg"].removeprefix("Value error, ").removeprefix("Input ")
        name = _option_name(str(problem["loc"][0]))
        raise UserError(f"{name} {problem['input']} {message}") from error


def _option_name(field: str) -> str:
    return f"--{field.replace('_', '-')}"
