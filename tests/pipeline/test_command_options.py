"""A dataclass in, a typer command's options out, and an instance back."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from pydantic import Field
from pydantic import dataclasses as checked
from typer.testing import CliRunner

from pipeline.command_options import NO_OPTION, attribute_help, dataclass_options
from pipeline.errors import UserError


@checked.dataclass(frozen=True)
class Optics:
    """A lens.

    Attributes:
        aperture: widest opening, as a
            number.
        blades: of the iris.
    """

    aperture: Annotated[float | None, Field(ge=0.7, le=64)] = None
    blades: Annotated[int, Field(ge=1, multiple_of=7)] = 7


DEFAULT = Optics(2.0)


def of_word(word: str | Optics) -> Optics:
    return Optics(float(word)) if isinstance(word, str) else word


@dataclass(frozen=True)
class Camera:
    """A camera.

    Attributes:
        body: which one.
        sensor: its kind.
        serial: not an option.
        tags: words.
        raw: whether it writes raw files.
        optics: before it.
        spare: another, in a word.
    """

    body: Path
    sensor: Literal["film", "digital"] = "film"
    serial: Annotated[str, NO_OPTION] = "0"
    tags: Annotated[tuple[str, ...], NO_OPTION] = ()
    raw: Annotated[bool, typer.Option("--raw/--no-raw", rich_help_panel="Files")] = True
    optics: Optics = field(default_factory=Optics)
    spare: Annotated[Optics, typer.Option(parser=of_word)] = DEFAULT


app = typer.Typer(rich_markup_mode="markdown")
made: list[tuple[str, Camera, int]] = []


@app.command()
@dataclass_options
def shoot(place: str, *, camera: Camera, times: int = 1) -> None:
    """Take pictures."""
    made.append((place, camera, times))


def call(*words: str) -> tuple[str, Camera, int]:
    made.clear()
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return made[0]


def test_the_command_gets_an_instance_with_defaults_and_choices() -> None:
    assert call("here", "--body", "/a") == ("here", Camera(Path("/a")), 1)
    words = ("--sensor", "digital", "--aperture", "1.4", "--blades", "14", "--no-raw")
    words += ("--spare", "4")
    place, camera, times = call("there", "--body", "b", *words, "--times", "3")
    assert (place, times) == ("there", 3)
    assert camera == Camera(
        Path("b"), "digital", raw=False, optics=Optics(1.4, 14), spare=Optics(4)
    )


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ((), "--body"),  # no default
        (("--body", "a", "--sensor", "wax"), "--sensor"),
        (("--body", "a", "--serial", "1"), "--serial"),
    ],
)
def test_what_typer_can_check_it_refuses_by_name(words: tuple[str, ...], name: str) -> None:
    done = CliRunner().invoke(app, ["here", *words], env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert name in done.output


def test_what_pydantic_refuses_is_a_sentence_with_option_and_value() -> None:
    with pytest.raises(UserError, match="--blades 8 should be a multiple of 7"):
        CliRunner().invoke(app, ["here", "--body", "a", "--blades", "8"], catch_exceptions=False)


def test_help_comes_from_docstring_and_defaults() -> None:
    text = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    for part in (
        "Widest opening, as a number.",
        "default: 7",
        "Which one.",
        "film|digital",
        "Whether it writes raw files.",
        "Files",
    ):
        assert part in text, part
    assert "serial" not in text


def test_help_of_a_base_class_is_inherited() -> None:
    @dataclass(frozen=True)
    class Zoom(Optics):
        """A lens that zooms.

        Attributes:
            blades: more of them.
        """

    expected = {"aperture": "widest opening, as a number.", "blades": "more of them."}
    assert attribute_help(Zoom) == expected
