"""What makes the synthetic people different; who they are stands in `manifests/people.toml`.

Lengths are in eye spans, the distance between the outer eye corners, so that any picture size gives
the same people.
"""

import tomllib
from pathlib import Path

from pydantic.dataclasses import dataclass

Colour = tuple[float, float, float]


@dataclass(frozen=True)
class Bump:
    """A local change of shape: a Gaussian window in which points are scaled and shifted."""

    at: tuple[float, float]  # its centre, from the point between the eyes; x to the viewer's right
    reach: tuple[float, float]  # standard deviations of the window in x and y
    scale: tuple[float, float] = (1.0, 1.0)  # of x and y about the centre, at the centre
    shift: tuple[float, float] = (0.0, 0.0)  # at the centre
    both: bool = False  # also at the place mirrored in the face's axis


@dataclass(frozen=True)
class Person:
    """One synthetic person; colours are red, green and blue."""

    name: str  # as in the manifest's column `speaker`
    voice: str  # a key of `pipeline.talkers.voices.VOICES`
    mirrored: bool  # left and right exchanged
    skin: Colour  # gain
    hair: Colour  # of medium-bright hair, 0..255
    brows: float  # gain, below 1 darkens
    lips: Colour  # gain
    stubble: float  # strength of a shaven beard, 0..1
    clothes: Colour  # 0..255
    neckline: float  # its depth below the pit of the neck; negative is a high collar
    backdrop: tuple[Colour, Colour]  # at the top and the bottom, 0..255
    shape: tuple[Bump, ...] = ()  # changes of face and hair, applied one after another


_TABLE = Path(__file__).parents[2] / "manifests" / "people.toml"
PEOPLE = tuple(
    Person(name=name, **facts)
    for name, facts in tomllib.loads(_TABLE.read_text(encoding="utf-8")).items()
)
