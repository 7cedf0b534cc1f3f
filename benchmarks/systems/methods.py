"""Other systems as small files: what each needs, how it is started, where its picture lies.

A method is a TOML file, of `manifests/methods` or of the user's; it holds no code and no line of
the system that it describes. README's section "Another system" explains its fields by an example.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pipeline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

METHODS_FOLDER = Path(__file__).parents[2] / "manifests" / "methods"

Driving = Literal["none", "itself", "another"]
WHOLE = (0.0, 0.0, 1.0, 1.0)
# What a method's texts may name in braces.
PLACEHOLDERS = (
    "python", "clone", "weights", "folder", "face", "speech", "driving", "seed", "frames",
    "driving_frames",
)  # fmt: skip
PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Need:
    """A file that must be there before anything is run.

    Attributes:
        path: beginning with {clone} or {weights}.
        what: what it is, for people.
        where: the address where its authors give it.
    """

    path: str
    what: str
    where: str


@dataclass(frozen=True)
class Input:
    """What is laid into the working folder for one clip; paths are relative to that folder.

    Attributes:
        face: the first frame, a .png or .jpg; several paths get the same picture.
        speech: the clip's sound, a 16 kHz mono .wav.
        size: side of the pictures in pixels.
        frame: x0, y0, x1, y1: where in the picture the frame lies, as shares of it; what is left
            is filled with the frame's edge. For systems that crop what they are given.
        still: a pattern such as input/still/%06d.jpg: the first frame, over and over.
        driving: which clip's frames are laid into `driving_video`: none; itself (the very clip:
            its pose, but also its truth); another (of the split, of another speaker if there is
            one, drawn by the seed).
        driving_video: an .mp4, or a pattern such as input/pose/%06d.jpg.
    """

    face: tuple[str, ...]
    speech: tuple[str, ...]
    size: int = 256
    frame: tuple[float, ...] = WHOLE
    still: str = ""
    driving: Driving = "none"
    driving_video: str = ""


@dataclass(frozen=True)
class TextFile:
    """A small file of the working folder, such as a list or a configuration."""

    path: str
    text: str


@dataclass(frozen=True)
class Step:
    """A command, run without a shell in `cwd` of the working folder."""

    args: tuple[str, ...]
    cwd: str = "."


@dataclass(frozen=True)
class Output:
    """What the system makes.

    Attributes:
        video: a glob in the working folder that finds one video.
        frame: x0, y0, x1, y1: where in its pictures the frame lies, as shares of them.
        skip: pictures at 25 fps to drop from its beginning.
        lead: frames at the beginning of the clip that it does not draw; its first picture stands
            for them, so that frame k stays frame k.
    """

    video: str
    frame: tuple[float, ...] = WHOLE
    skip: int = 0
    lead: int = 0


@dataclass(frozen=True)
class Method:
    """A system that makes a video from a picture and a recording.

    Attributes:
        name: as tables call it.
        sources: addresses from which the command was read.
        input: what it is given.
        steps: commands, one after another.
        output: what it makes.
        note: what is not as in the paper, or not known.
        timeout: seconds that all steps of one clip may take.
        needs: files that must be there.
        private: folders of the clone that the system writes into: the working folder has its own,
            with those entries of the clone's that match the patterns.
        files: written into the working folder.
    """

    name: str
    sources: tuple[str, ...]
    input: Input
    steps: tuple[Step, ...]
    output: Output
    note: str = ""
    timeout: float = 600.0
    needs: tuple[Need, ...] = ()
    private: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    files: tuple[TextFile, ...] = ()


def known_methods(folder: Path = METHODS_FOLDER) -> dict[str, Path]:
    """The methods that come with the toolkit, by the name to call them."""
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def find_method(name: str) -> Path:
    """The file of a method: one of ours by name, or the user's by path.

    Raises:
        UserError: neither.
    """
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
    return PLACEHOLDER.sub(lambda found: values[found[1]], text)


def missing(method: Method, clone: Path | None, weights: Path | None) -> list[str]:
    """What the method needs and does not find, each with the place where its authors give it.

    Args:
        method: the method.
        clone: the user's clone of its repository.
        weights: the user's folder of its weights; None looks for them in the clone.
    """
    told = []
    for need in method.needs:
        if clone is None and (weights is None or "{clone}" in need.path):
            told.append(f"{need.what} ({need.where})")
        elif not _exists(need, clone, weights):
            told.append(f"{_place(need, clone, weights)}: {need.what} ({need.where})")
    return list(dict.fromkeys(told))


def _place(need: Need, clone: Path | None, weights: Path | None) -> Path:
    folders = {"clone": str(clone), "weights": str(weights or clone)}
    return Path(fill(need.path, folders))


def _exists(need: Need, clone: Path | None, weights: Path | None) -> bool:
    return _place(need, clone, weights).exists()


def check_needs(method: Method, clone: Path | None, weights: Path | None) -> None:
    """Makes sure that all is there.

    Raises:
        UserError: naming everything that is not, and where to get it.
    """
    if clone is not None and not clone.is_dir():
        raise UserError(f"no such clone of {method.name}: {clone}")
    lacks = missing(method, clone, weights)
    if lacks:
        hint = "" if clone else "; name your clone with --clone"
        raise UserError(f"{method.name} needs {_listed(lacks)}{hint}")
    if clone is None and any("{clone}" in text for step in method.steps for text in step.args):
        raise UserError(f"{method.name} runs in a clone of its repository; name it with --clone")


def _listed(parts: Iterable[str]) -> str:
    return "; ".join(parts)
