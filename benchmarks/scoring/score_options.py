"""What to score, and how."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class ScoreOptions:
    """What to compare, and how.

    Attributes:
        method: the system that made the fakes, as tables name it; empty takes the fakes' folder.
        dataset: the data set, as tables name it; empty takes the real clips' folder.
        split: split of a dh-prep data set; None takes `test` where there is one, else all.
        max_frames: the most frames looked at in a clip; 0 takes all. The paper's is 100.
        image_size: pixels of the shorter side at which frames are compared; None takes the real's.
        metrics: names of the metrics; none takes all.
        workers: processes; None takes one for each processor if there are clips enough.
        device: where the networks of FID, FVD and SyncNet compute.
        precision: of FID's and FVD's networks.
        lip_reader: command that reads lips, given the path of a video; empty leaves WER out.
        lip_reader_timeout: seconds that it may take for a video.
        weights_dir: folder of pretrained files.
        cache: folder in which measurements are kept; None keeps them for this run only.
    """

    method: str = ""
    dataset: str = ""
    split: str | None = None
    max_frames: int = 100
    image_size: int | None = None
    metrics: tuple[str, ...] = ()
    workers: int | None = None
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Literal["bf16", "float32"] = "float32"
    lip_reader: str = ""
    lip_reader_timeout: float = 600.0
    weights_dir: Path | None = None
    cache: Path | None = None

    def as_json(self) -> dict[str, Any]:
        """For scores.json."""
        places = {
            name: None if value is None else str(value)
            for name, value in (("weights_dir", self.weights_dir), ("cache", self.cache))
        }
        return asdict(self) | places | {"metrics": list(self.metrics)}
