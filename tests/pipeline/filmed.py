"""Films of a face for the stages, and what they make of one."""

from pathlib import Path
from typing import Any

import numpy as np

from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.sample import Sample
from pipeline.media import Audio, write_video
from pipeline.run.clip import Stage
from pipeline.run.prepare_clip import prepare_clip
from pipeline.sources.manifest import ManifestRow

EMPTY = np.full((240, 260, 3), 90, np.uint8)


class One:
    """What became of a clip that was not split: its row, and its sample if there is one."""

    def __init__(self, outcome) -> None:
        (self.row,) = outcome.rows
        assert len(outcome.samples) == (self.row["status"] == "ok")
        self.sample: Sample | None = outcome.samples[0] if outcome.samples else None


def noise_beside(frames: int) -> Audio:
    rng = np.random.default_rng(frames)
    return Audio(rng.normal(0, 3000, frames * 640).astype(np.int16))


def write_filmed(path: Path, frames: list[np.ndarray], *, silent: bool = False) -> Path:
    write_video(path, frames, audio=None if silent else noise_beside(len(frames)))
    return path


def prepared(
    path: Path | str,
    stages: list[Stage],
    *,
    start: float = 0.0,
    end: float | None = None,
    **options: Any,
) -> One:
    row = ManifestRow("key", str(path), "s/clip.mp4", "s", "val", start, end)
    return One(prepare_clip(row, PrepOptions(**options), stages))
