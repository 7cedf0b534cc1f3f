"""Other systems as small files: what each needs, how it is started, where its picture lies.

A method is a TOML file, of `manifests/methods` or of the user's; it holds no code and no line of
the system that it describes. README's section "Another system" explains its fields by an example.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import field
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, ConfigDict, Field, NonNegativeInt, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from benchmarks.user_files import first_problem
from pipeline.errors import UserError

METHODS_FOLDER = Path(__file__).parents[2] / "manifests" / "methods"

# What a method's texts may name in braces.
PLACEHOLDERS = (
    "python", "clone", "weights", "folder", "face", "speech", "driving", "seed", "frames",
    "driving_frames",
)  # fmt: skip
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
_CHECKED = ConfigDict(extra="forbid")


def _inside(path: str) -> str:
    if Path(path).is_absolute() or ".." in Path(path).parts:
        raise ValueError("must lie inside the working folder")
    return path


def _known_placeholders(text: str) -> str:
    for name in _PLACEHOLDER.findall(text):
        if name not in PLACEHOLDERS:
            known = ", ".join(PLACEHOLDERS)
            raise ValueError(f"there is no placeholder {{{name}}}; known: {known}")
    return text


def _ordered(box: tuple[float, ...]) -> tuple[float, ...]:
    if len(box) != 4 or not (0 <= box[0] < box[2] <= 1 and 0 <= box[1] < box[3] <= 1):
        raise ValueError(f"{list(box)} is not [x0, y0, x1, y1], x0 < x1, y0 < y1, from 0 to 1")
    return box


Driving = Literal["none", "itself", "another"]
RelativePath = Annotated[str, AfterValidator(_inside)]
Template = Annotated[str, AfterValidator(_known_placeholders)]
Box = Annotated[tuple[float, ...], AfterValidator(_ordered)]
WHOLE = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True, config=_CHECKED)
class Need:
    """A file that must be there before anything is run."""

    path: Template  # beginning with {clone} or {weights}
    what: str  # what it is, for people
    where: str  # the address where its authors give it


@dataclass(frozen=True, config=_CHECKED)
class Input:
    """What is written into the working folder for one clip; paths are relative to that folder."""

    # The first frame, a .png or .jpg; several paths get the same picture.
    face: tuple[RelativePath, ...]
    speech: tuple[RelativePath, ...]  # the clip's sound, a 16 kHz mono .wav
    size: Annotated[int, Field(ge=2, multiple_of=2)] = 256  # side of the pictures in pixels
    # Where in the picture (x0, y0, x1, y1) the frame lies, as shares of it; what is left is filled
    # with the frame's edge. For systems that crop what they are given.
    frame: Box = WHOLE
    # A pattern such as input/still/%06d.jpg: the first frame, over and over.
    still: RelativePath = ""
    # Which clip's frames are written to `driving_video`: none; itself (the very clip: its pose, but
    # also its truth); another (of the split, of another speaker if there is one, drawn by the
    # seed).
    driving: Driving = "none"
    driving_video: RelativePath = ""  # an .mp4, or a pattern such as input/pose/%06d.jpg

    def __post_init__(self) -> None:
        if bool(self.driving_video) != (self.driving != "none"):
            raise ValueError("driving and driving_video must be given together")


@dataclass(frozen=True, config=_CHECKED)
class TextFile:
    """A small file of the working folder, such as a list or a configuration."""

    path: RelativePath
    text: Template


@dataclass(frozen=True, config=_CHECKED)
class MethodCommand:
    """A command, run without a shell in `cwd` of the working folder."""

    args: tuple[Template, ...]
    cwd: RelativePath = "."


@dataclass(frozen=True, config=_CHECKED)
class Output:
    """What the system makes."""

    video: RelativePath  # a glob in the working folder that finds one video
    frame: Box = WHOLE  # x0, y0, x1, y1: where in its pictures the frame lies, as shares of them
    skip: NonNegativeInt = 0  # pictures at 25 fps to drop from its beginning
    # Frames at the beginning of the clip that it does not draw; its first picture stands for them,
    # so that frame k stays frame k.
    lead: NonNegativeInt = 0


@dataclass(frozen=True, config=_CHECKED)
class Method:
    """A system that makes a video from a picture and a recording."""

    name: str  # as tables call it
    sources: tuple[str, ...]  # addresses from which the command was read
    input: Input  # what it is given
    steps: tuple[MethodCommand, ...]  # commands, one after another
    output: Output  # what it makes
    note: str = ""  # what is not as in the paper, or not known
    timeout: float = 600.0  # seconds that all steps of one clip may take
    needs: tuple[Need, ...] = ()  # files that must be there
    # Folders of the clone that the system writes into: the working folder has its own, with those
    # entries of the clone's that match the patterns.
    private: Mapping[RelativePath, tuple[str, ...]] = field(default_factory=dict)
    files: tuple[TextFile, ...] = ()  # written into the working folder


def read_method(path: Path) -> Method:
    """Reads a method file; a UserError names what does not parse, is absent, unknown or wrong."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UserError(f"{path} does not read as TOML: {error}") from error
    try:
        # As JSON, whose lists may be tuples where nothing else is converted.
        text = json.dumps(table, default=str)
        return TypeAdapter(Method).validate_json(text, strict=True)
    except ValidationError as error:
        raise UserError(f"{path}: {first_problem(error)}") from error


def known_methods() -> dict[str, Path]:
    """The methods that come with the toolkit, by the name to call them."""
    return {path.stem: path for path in sorted(METHODS_FOLDER.glob("*.toml"))}


def find_method(name: str) -> Path:
    """The file of a method: one of ours by name, or the user's by path; else a UserError."""
    known = known_methods()
    if name.endswith(".toml"):
        if not Path(name).is_file():
            raise UserError(f"no such method file: {name}")
        return Path(name)
    if name not in known:
        raise UserError(
            f"no method is called {name!r}; known are {', '.join(known)}, or give the path of a "
            ".toml file of your own"
        )
    return known[name]


def fill(text: str, values: Mapping[str, str]) -> str:
    """A text with its placeholders replaced."""
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def check_needs(method: Method, clone: Path | None, weights: Path | None) -> None:
    """Raises a UserError that names everything that is not there, and where its authors give it.

    Without a folder of weights they are looked for in the clone.
    """
    if clone is not None and not clone.is_dir():
        raise UserError(f"no such clone of {method.name}: {clone}")
    missing = []
    for need in method.needs:
        origin = f"{need.what} ({need.where})"
        path = Path(fill(need.path, {"clone": str(clone), "weights": str(weights or clone)}))
        if clone is None and (weights is None or "{clone}" in need.path):
            missing.append(origin)
        elif not path.exists():
            missing.append(f"{path}: {origin}")
    if missing:
        hint = "" if clone else "; name your clone with --clone"
        raise UserError(f"{method.name} needs {'; '.join(dict.fromkeys(missing))}{hint}")
    if clone is None and any("{clone}" in text for step in method.steps for text in step.args):
        raise UserError(f"{method.name} runs in a clone of its repository; name it with --clone")
