"""Who the synthetic people are: the one photographed head with other proportions and colours.

Lengths are in eye spans, the distance between the outer eye corners, so that any picture size gives
the same people.
"""

from __future__ import annotations

from dataclasses import dataclass

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
        shape: changes of face and hair, applied one after another.
        skin: gain of red, green and blue.
        hair: colour of medium-bright hair, 0..255.
        brows: gain of the brows, below 1 darkens.
        lips: gain of red, green and blue.
        stubble: strength of a shaven beard, 0..1.
        clothes: colour, 0..255.
        neckline: depth of the neckline below the pit of the neck; negative is a high collar.
        backdrop: colours at the top and the bottom, 0..255.
    """

    name: str
    voice: str
    mirrored: bool
    shape: tuple[Bump, ...]
    skin: Colour
    hair: Colour
    brows: float
    lips: Colour
    stubble: float
    clothes: Colour
    neckline: float
    backdrop: tuple[Colour, Colour]


PEOPLE = (
    Person(
        name="ada",
        voice="raised",
        mirrored=False,
        shape=(),
        skin=(1.0, 1.0, 1.0),
        hair=(140, 116, 76),
        brows=0.9,
        lips=(1.0, 0.9, 0.92),
        stubble=0.0,
        clothes=(150, 52, 48),
        neckline=0.22,
        backdrop=((205, 205, 210), (150, 152, 162)),
    ),
    Person(
        name="ben",
        voice="recorded",
        mirrored=True,
        shape=(
            Bump((1.25, -0.05), (0.32, 0.7), shift=(-0.26, 0.0), both=True),  # hair cut short
            Bump((0, -1.1), (0.9, 0.4), shift=(0, 0.14)),
            Bump((0.62, 0.95), (0.3, 0.3), shift=(0.05, 0.03), both=True),  # a square jaw
            Bump((0, 1.25), (0.4, 0.25), scale=(1.06, 1.0), shift=(0, 0.05)),
            Bump((0, 0.42), (0.2, 0.2), scale=(1.1, 1.06)),
            Bump((0.33, -0.2), (0.3, 0.12), scale=(1.0, 1.3), shift=(0, 0.025), both=True),
        ),
        skin=(0.88, 0.81, 0.75),
        hair=(58, 46, 38),
        brows=0.45,
        lips=(0.86, 0.80, 0.78),
        stubble=0.5,
        clothes=(52, 70, 104),
        neckline=-0.1,
        backdrop=((96, 118, 128), (52, 66, 76)),
    ),
    Person(
        name="cleo",
        voice="raised",
        mirrored=True,
        shape=(
            Bump((1.2, 0.45), (0.28, 0.4), shift=(-0.03, 0.36), both=True),  # longer hair
            Bump((0.34, 0.0), (0.22, 0.16), scale=(1.06, 1.12), both=True),
            Bump((0, 0.42), (0.16, 0.16), scale=(1.14, 0.98)),
            Bump((0, 0.74), (0.35, 0.14), scale=(1.0, 1.18)),
            Bump((0.5, 1.0), (0.3, 0.4), shift=(-0.05, 0), both=True),
        ),
        skin=(0.62, 0.50, 0.42),
        hair=(40, 32, 30),
        brows=0.55,
        lips=(0.64, 0.42, 0.42),
        stubble=0.0,
        clothes=(196, 160, 66),
        neckline=0.42,
        backdrop=((196, 178, 150), (140, 112, 88)),
    ),
    Person(
        name="dan",
        voice="recorded",
        mirrored=False,
        shape=(
            Bump((1.25, -0.15), (0.32, 0.9), shift=(-0.24, 0.0), both=True),
            Bump((0, -1.2), (1.2, 0.4), shift=(0, 0.12)),
            Bump((0.34, 0.0), (0.22, 0.16), scale=(0.95, 0.92), both=True),
            Bump((0, 0.45), (0.2, 0.16), scale=(1.14, 1.08)),
            Bump((0.62, 0.75), (0.35, 0.4), shift=(0.07, 0.0), both=True),
            Bump((0, 1.2), (0.5, 0.3), scale=(1.08, 0.95), shift=(0, -0.04)),
        ),
        skin=(1.03, 0.93, 0.88),
        hair=(120, 117, 114),
        brows=0.7,
        lips=(0.98, 0.90, 0.88),
        stubble=0.15,
        clothes=(64, 92, 66),
        neckline=0.15,
        backdrop=((92, 74, 84), (48, 38, 48)),
    ),
)
