"""How a run is carried out; nothing of it shapes a sample."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer


def _option(**given: Any) -> Any:
    return typer.Option(rich_help_panel="The work", **given)


WeightsDir = Annotated[
    Path | None,
    typer.Option(
        help="Your own folder of pretrained files; without it DH_WEIGHTS, then the cache folder, "
        "then the network.",
        show_default=False,
        rich_help_panel="Where things are",
    ),
]


@dataclass(frozen=True)
class WorkOptions:
    """How a run is carried out.

    Attributes:
        workers: processes; 0 works in this one, without Ray.
        address: of a running Ray cluster whose machines all see INPUT and DIR.
        retry: prepare clips that failed once more; the others stay as they are.
        clip_minutes: most minutes for one clip; then its worker is stopped and the clip is given
            up.
    """

    workers: Annotated[int | None, _option(min=0, show_default="number of cores")] = None
    address: Annotated[str | None, _option(show_default="RAY_ADDRESS, or this machine")] = None
    retry: Annotated[Literal["failed"] | None, _option()] = None
    clip_minutes: Annotated[float, _option(min=0.01)] = 60
    weights_dir: WeightsDir = None
