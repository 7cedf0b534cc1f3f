"""One input of the fault corpus: its name, how it is made, and what must become of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tests.faults.inputs.damage import Make
from tests.faults.inputs.films import write_film


@dataclass(frozen=True)
class Case:
    """An input.

    Attributes:
        name: of the file, relative to the folder of the corpus; bytes that are not UTF-8 as
            `os.fsdecode` gives them.
        make: makes it at a path.
        status: ok, skipped or failed; empty: it is no video, and no row may name it.
        stage: where it is skipped or failed.
        reason: a part of the sentence that says why.
        frames: of the sample.
        first: seconds of the film at which the sample begins.
        psnr: least PSNR of its crops against those of the plain film, dB; None: not
            compared.
        sound: least correlation of its sound with the voice, within a few milliseconds; None: not
            compared.
        speaker: that its path tells.
        measures: columns of its row, least and greatest value.
    """

    name: str
    make: Make
    status: str = "ok"
    stage: str = ""
    reason: str = ""
    frames: int | range = 25
    first: float = 0.0
    psnr: float | None = 30
    sound: float | None = 0.97
    speaker: str = ""
    measures: Mapping[str, tuple[float, float]] = field(default_factory=dict)


def film(**shaped: Any) -> Make:
    """What makes a film of a second, see `write_film`."""
    return partial(write_film, **shaped)


def failed(name: str, make: Make, reason: str, stage: str = "decode") -> Case:
    """A case that must fail."""
    return Case(name, make, "failed", stage, reason)


def skipped(name: str, make: Make, reason: str, stage: str) -> Case:
    """A case that a rule must drop."""
    return Case(name, make, "skipped", stage, reason)
