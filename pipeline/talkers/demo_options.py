"""The options of dh-prep demo."""

from typing import Annotated

from pydantic import Field
from pydantic.dataclasses import dataclass

from pipeline.talkers.people import PEOPLE


@dataclass(frozen=True)
class DemoOptions:
    """Which synthetic clips to make.

    Attributes:
        clips: videos to make, two at least; a quarter, one a person at most, is for testing.
        people: different faces, four at most.
        size: side of the videos in pixels, even, from 128 to 1024.
        seed: other numbers give other clips.
    """

    clips: Annotated[int, Field(ge=2)] = 16
    people: Annotated[int, Field(ge=1, le=len(PEOPLE))] = 4
    size: Annotated[int, Field(multiple_of=2, ge=128, le=1024)] = 320
    seed: int = 0
