"""Options of the report; nothing here imports what takes long, so that `--help` is quick."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer


@dataclass(frozen=True)
class ReportOptions:
    """What the page shows.

    Attributes:
        clips: how many of the worst clips are shown as video, and of the best.
        by: the metric by which worst and best are chosen.
        megabytes: the most that all videos together may take on the page.
        video: a generated video shown large at the top.
    """

    clips: Annotated[int, typer.Option(min=0)] = 3
    by: Annotated[str, typer.Option(show_default="the first that clips have values of")] = ""
    megabytes: Annotated[float, typer.Option(min=0.1)] = 16.0
    video: Path | None = None
