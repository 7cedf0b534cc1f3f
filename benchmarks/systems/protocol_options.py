"""Options of the test protocol; nothing here imports what takes long, so that `--help` is quick."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from pipeline.command_options import NO_OPTION


@dataclass(frozen=True)
class ProtocolClips:
    """Which clips are made, how much of each, and into what files.

    Attributes:
        split: split of the data set.
        max_frames: draw at most this many frames of a clip, the paper's 100; 0 draws all.
        clips: only this many clips, the first.
        format: mp4 plays anywhere, mkv (FFV1, FLAC) loses nothing, for benchmarks: MP4 alone costs
            a perfect system 0.03 SSIM.
    """

    split: str = "test"
    max_frames: Annotated[int, typer.Option(min=0)] = 100
    clips: Annotated[int | None, typer.Option(min=1, show_default="all")] = None
    format: Literal["mp4", "mkv"] = "mp4"


def _option(**given: Any) -> Any:
    """An option of `--help`'s part on other systems."""
    return typer.Option(rich_help_panel="With another system", **given)


@dataclass(frozen=True)
class MethodOptions:
    """How another system is run, and with which of the user's folders.

    Attributes:
        clips: which are made.
        seed: of the driving clips, and {seed} in the method's commands.
        clone: your clone of its repository.
        weights: your folder of its weights.
        python: the Python of its environment.
        driving: where it takes the pose from a video: the clip itself, or another one.
        timeout: seconds for one clip.
        finished: a folder of videos it made elsewhere, called like the clips. Nothing is run; they
            are cropped and cut to the protocol.
    """

    clips: Annotated[ProtocolClips, NO_OPTION] = field(default_factory=ProtocolClips)
    seed: Annotated[int, NO_OPTION] = 0
    clone: Annotated[Path | None, _option()] = None
    weights: Annotated[Path | None, _option(show_default="CLONE")] = None
    python: Annotated[
        Path | None, _option(show_default="CLONE/.venv/bin/python, else this one")
    ] = None
    driving: Annotated[
        Literal["itself", "another"] | None, _option(show_default="the method's")
    ] = None
    timeout: Annotated[float | None, _option(min=1, show_default="the method's")] = None
    finished: Annotated[Path | None, _option()] = None
