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
    """A local change of shape: a Gaussian window in which points are scaled and shifted.

    Attributes:
        at: its centre, from the point between the eyes; x to the viewer's right.
        reach: standard deviations of the window in x and y.
        scale: of x and y about the centre, at the centre.
        shift: at the centre.
        both: also at the place mirrored in the face's axis.
    """

    at: tuple[float, float]
    reach: tuple[float, float]
    scale: tuple[float, float] = (1.0, 1.0)
    shift: tuple[float, float] = (0.0, 0.0)
    both: bool = False


@dataclass(frozen=True)
class Person:
    """One synthetic person.

    Attributes:
        name: as in the manifest's column `speaker`.
        voice: name of the voice, see `pipeline.talkers.voices`.
        mirrored: left and right exchanged.
        skin: gain of red, green and blue.
        hair: colour of medium-bright hair, 0..255.
        brows: gain of the brows, below 1 darkens.
        lips: gain of red, green and blue.
        stubble: strength of a shaven beard, 0..1.
        clothes: colour, 0..255.
        neckline: depth of the neckline below the pit of the neck; negative is a high collar.
        backdrop: colours at the top and the bottom, 0..255.
        shape: changes of face and hair, applied one after another.
    """

    name: str
    voice: str
    mirrored: bool
    skin: Colour
    hair: Colour
    brows: float
    lips: Colour
    stubble: float
    clothes: Colour
    neckline: float
    backdrop: tuple[Colour, Colour]
    shape: tuple[Bump, ...] = ()


_TABLE = Path(__file__).parents[2] / "manifests" / "people.toml"
PEOPLE = tuple(
    Person(name=name, **facts)
    for name, facts in tomllib.loads(_TABLE.read_text(encoding="utf-8")).items()
)
