"""The options of dh-prep demo."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from pipeline.command_options import NO_OPTION
from pipeline.errors import UserError
from pipeline.talkers.people import PEOPLE

_RECIPE = 1  # counts up when the same options make other videos


@dataclass(frozen=True)
class DemoOptions:
    """Which synthetic clips to make.

    Attributes:
        clips: videos to make, two at least; a quarter, one a person at most, is for testing.
        people: different faces, four at most.
        size: side of the videos in pixels, even.
        seed: other numbers give other clips.
        weights_dir: the user's folder of pretrained files; None reads DH_WEIGHTS.
    """

    clips: int = 16
    people: int = 4
    size: int = 320
    seed: int = 0
    weights_dir: Annotated[Path | str | None, NO_OPTION] = None

    def check(self) -> None:
        """Raises a `UserError` for what cannot be made."""
        if self.clips < 2:
            raise UserError(f"{self.clips} clips leave nothing to train or to test on; ask for 2")
        if not 1 <= self.people <= len(PEOPLE):
            raise UserError(f"{self.people} people: the demo knows 1 to {len(PEOPLE)}")
        if self.size % 2 or not 128 <= self.size <= 1024:
            raise UserError(f"a size of {self.size} pixels: it must be even, from 128 to 1024")

    def record(self) -> dict[str, Any]:
        """What determines the videos, as it is written to demo.json."""
        content = asdict(self)
        del content["weights_dir"]  # where the files lie changes nothing
        return {"recipe": _RECIPE, **content}
