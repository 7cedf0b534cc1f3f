"""From two folders of clips to numbers over the set.

The protocol is the first version's table: frame k of the fake against frame k of the real clip,
averaged over the frames of a clip, then over clips.
"""

from __future__ import annotations

import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal

import numpy as np

from benchmarks.clips import chosen_split, match_folders, real_clips
from benchmarks.compare import FRAME_METRICS, score_clip
from benchmarks.results import SCHEMA_VERSION
from pipeline.media import FPS
from pipeline.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.compare import FrameMetric
    from benchmarks.results import ClipRow, Scores, SetRow, Source

RESAMPLES = 2000


@dataclass(frozen=True)
class ScoreOptions:
    """What to compare, and how.

    Attributes:
        method: the system that made the fakes, as tables name it; empty takes the fakes' folder.
        dataset: the data set, as tables name it; empty takes the real clips' folder.
        split: split of a dh-prep data set; None takes `test` where there is one, else all.
        max_frames: the most frames compared in a clip; 0 compares all. The paper's is 100.
        image_size: pixels of the shorter side at which frames are compared; None takes the real's.
    """

    method: str = ""
    dataset: str = ""
    split: str | None = None
    max_frames: int = 100
    image_size: int | None = None


def score(real: Path, fake: Path, options: ScoreOptions | None = None) -> Scores:
    """Scores the fakes in one folder against the real clips in another.

    Args:
        real: a folder of videos, or a data set of dh-prep.
        fake: a folder of videos, called like the clips they imitate.
        options: what to compare, and how.

    Raises:
        UserError: nothing to compare. A clip that cannot be compared is a row with a reason.
    """
    options = options or ScoreOptions()
    split = chosen_split(real, options.split)
    matches = match_folders(real, fake, split)
    rows = []
    sources: dict[str, Source] = {}
    with progress("clips", len(matches.fakes)) as step:
        for clip in real_clips(real, split):
            if clip.clip_id in matches.fakes:
                counterpart = matches.fakes[clip.clip_id]
                rows.append(score_clip(clip, counterpart, options.max_frames, options.image_size))
                sources[clip.clip_id] = {"real": clip.source, "fake": str(counterpart)}
                step()
    return {
        "schema_version": SCHEMA_VERSION,
        "method": options.method or fake.resolve().name,
        "dataset": options.dataset or real.resolve().name,
        "real": str(real),
        "fake": str(fake),
        "split": split,
        "protocol": describe_protocol(rows, options),
        "options": asdict(options),
        "software": _software(),
        "weights": {},
        "metrics": {metric.name: set_row(metric, rows) for metric in FRAME_METRICS},
        "unmatched": matches.unmatched,
        "sources": sources,
        "clips": rows,
    }


def set_row(metric: FrameMetric, rows: Sequence[ClipRow]) -> SetRow:
    """A metric over the clips that were measured, each clip counting once."""
    values = np.array([row["values"][metric.name] for row in rows if row["status"] == "ok"])
    n = len(values)
    return {
        "label": metric.label,
        "direction": metric.direction,
        "unit": metric.unit,
        "protocol": f"{metric.name}_n{n}: {metric.protocol}",
        "n": n,
        "mean": float(values.mean()) if n else None,
        "std": float(values.std(ddof=1)) if n > 1 else None,
        "ci95": bootstrap_interval(values) if n > 1 else None,
        "real": None,
        "reason": "" if n else "no clip could be measured; see the reasons of the clips",
    }


def bootstrap_interval(values: NDArray[np.float64]) -> list[float]:
    """95% percentile interval of the mean over clips, from 2000 resamples with seed 0.

    Args:
        values: (N,), one number a clip; clips are the units that are resampled.
    """
    generator = np.random.default_rng(0)
    draws = generator.integers(len(values), size=(RESAMPLES, len(values)))
    return [float(bound) for bound in np.quantile(values[draws].mean(axis=1), (0.025, 0.975))]


def describe_protocol(rows: Sequence[ClipRow], options: ScoreOptions) -> str:
    """How the frames were paired and at which size, in a sentence for footnotes."""
    done = [row for row in rows if row["status"] == "ok"]
    span = f"the first {options.max_frames} frames" if options.max_frames else "all frames"
    parts = [
        f"frame k against frame k at {FPS} fps, {span} of a clip",
        "mean over frames, then clips",
    ]
    if done:
        parts.append(f"compared at {_listed(row['size_compared'] for row in done)}")
    resized = {
        "real": _resized(done, "size_real"),
        "fake": _resized(done, "size_fake"),
    }
    parts += [
        f"{side} frames resized from {_listed(sizes)}" for side, sizes in resized.items() if sizes
    ]
    if any(resized.values()):
        parts.append("cv2.INTER_AREA down, cv2.INTER_CUBIC up")
    return "; ".join(parts)


def _resized(rows: Sequence[ClipRow], side: Literal["size_real", "size_fake"]) -> list[str]:
    return [row[side] for row in rows if row[side] != row["size_compared"]]


def _listed(sizes: Iterable[str]) -> str:
    names = sorted(set(sizes))
    more = f" and {len(names) - 3} other sizes" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _software() -> dict[str, str]:
    packages = ("diffused-heads", "numpy", "opencv-python", "av")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
