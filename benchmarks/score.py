"""From two folders of clips to numbers: every clip decoded once, every metric on each frame pair.

The protocol is the first version's table: frame k of the fake against frame k of the real clip,
averaged over the frames of a clip, then over clips.
"""

from __future__ import annotations

import itertools
import json
import math
import platform
import tarfile
from dataclasses import asdict, dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, cast

import cv2
import numpy as np

from benchmarks.metrics import psnr, ssim
from pipeline.errors import UserError
from pipeline.media import FPS, VIDEO_SUFFIXES, read_frames
from pipeline.sample import from_members
from pipeline.shards import DATASET_FILE, read_dataset, read_tar, shard_paths

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    Frames = Iterable[NDArray[np.uint8]]

SCHEMA_VERSION = 1
RESAMPLES = 2000
SHAPE_TOLERANCE = 0.02  # a resized video rounds its sides to even numbers; a squeezed one is worse


@dataclass(frozen=True)
class FrameMetric:
    """A number for one pair of frames.

    Attributes:
        name: key in scores.json.
        label: heading in tables.
        direction: `higher` or `lower`, whichever is better.
        protocol: how it is measured, printed wherever the number is.
        measure: (real, fake), both (H, W, 3) uint8 RGB of one shape, to a finite float.
    """

    name: str
    label: str
    direction: str
    protocol: str
    measure: Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]


FRAME_METRICS = (
    FrameMetric("ssim", ssim.LABEL, ssim.DIRECTION, ssim.PROTOCOL, ssim.ssim),
    FrameMetric("psnr", psnr.LABEL, psnr.DIRECTION, psnr.PROTOCOL, psnr.psnr),
)


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


class ClipRow(TypedDict, total=False):
    """One clip: its measurements, or the reason why it has none."""

    clip_id: str
    status: str
    reason: str
    warnings: list[str]
    frames: int
    frames_real: int
    frames_fake: int
    identical_frames: int
    size_real: str
    size_fake: str
    size_compared: str
    values: dict[str, float]


class SetRow(TypedDict):
    """One metric over all clips; `mean` is None when no clip could be measured."""

    label: str
    direction: str
    protocol: str
    n: int
    mean: float | None
    std: float | None
    ci95: list[float] | None


class Scores(TypedDict):
    """The content of scores.json."""

    schema_version: int
    method: str
    dataset: str
    real: str
    fake: str
    split: str | None
    protocol: str
    options: dict[str, Any]
    software: dict[str, str]
    metrics: dict[str, SetRow]
    unmatched: dict[str, list[str]]
    clips: list[ClipRow]


@dataclass(frozen=True)
class RealClip:
    """A real clip that is decoded only when asked for.

    Attributes:
        clip_id: what its fake should be called.
        stem: what its fake may be called as well: the file name of its source, without suffix.
        frames: opens it.
    """

    clip_id: str
    stem: str
    frames: Callable[[], Frames]


def find_videos(folder: Path) -> dict[str, Path]:
    """The videos in a folder and the folders in it, by file name without suffix, sorted.

    Raises:
        UserError: no such folder, no video in it, or two of one name.
    """
    if not folder.is_dir():
        raise UserError(f"no such folder: {folder}")
    videos: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in VIDEO_SUFFIXES and not path.name.startswith("."):
            if path.stem in videos:
                raise UserError(
                    f"clips are matched by name, but two in {folder} are called {path.stem!r}: "
                    f"{videos[path.stem]} and {path}"
                )
            videos[path.stem] = path
    if not videos:
        raise UserError(f"no video in {folder}; looked for {' '.join(sorted(VIDEO_SUFFIXES))}")
    return videos


def chosen_split(folder: Path, split: str | None) -> str | None:
    """The split to score: the one asked for, else `test` of a data set that has it, else all.

    Raises:
        UserError: a split is asked of a plain folder of videos.
    """
    if (folder / DATASET_FILE).exists():
        splits = {shard["split"] for shard in read_dataset(folder)["shards"] if shard["samples"]}
        return split or ("test" if "test" in splits else None)
    if split:
        raise UserError(f"--split is for a data set made by dh-prep; {folder} is not one")
    return None


def real_clips(folder: Path, split: str | None) -> Iterator[RealClip]:
    """The real clips of a dh-prep data set (shard by shard) or of a folder of videos.

    Raises:
        UserError: neither, nothing in it, or a shard that does not read.
    """
    if not (folder / DATASET_FILE).exists():
        for stem, path in find_videos(folder).items():
            yield RealClip(stem, stem, partial(read_frames, path))
        return
    for shard in shard_paths(folder, split):
        try:
            for key, members in read_tar(shard):
                yield RealClip(key, _source_stem(key, members), partial(_packed, key, members))
        except (tarfile.TarError, OSError) as error:
            raise UserError(
                f"{shard} does not read ({error}); dh-prep check {folder} tells more"
            ) from error


def _source_stem(key: str, members: Mapping[str, bytes]) -> str:
    try:
        return Path(json.loads(members["json"])["source"]).stem
    except (KeyError, TypeError, ValueError):
        return key  # a damaged sample; opening it gives the reason


def _packed(key: str, members: Mapping[str, bytes]) -> Frames:
    return from_members(key, members).frames


def match_clips(stems: Mapping[str, str], fakes: Mapping[str, Path]) -> dict[str, Path]:
    """The fake of each real clip that has one: called like the clip, or like its source file.

    Args:
        stems: source file name, without suffix, of each clip id.
        fakes: fakes by file name without suffix.
    """
    names = list(stems.values())
    pairs = {}
    for clip_id, stem in stems.items():
        if clip_id in fakes:
            pairs[clip_id] = fakes[clip_id]
        elif stem in fakes and stem not in stems and names.count(stem) == 1:
            pairs[clip_id] = fakes[stem]
    return pairs


def score(
    real: Path,
    fake: Path,
    options: ScoreOptions | None = None,
    on_clip: Callable[[int, int], None] | None = None,
) -> Scores:
    """Scores the fakes in one folder against the real clips in another.

    Args:
        real: a folder of videos, or a data set of dh-prep.
        fake: a folder of videos, called like the clips they imitate.
        options: what to compare, and how.
        on_clip: called with (clips done, clips in all) after each clip.

    Raises:
        UserError: nothing to compare. A clip that cannot be compared is a row with a reason.
    """
    options = options or ScoreOptions()
    split = chosen_split(real, options.split)
    fakes = find_videos(fake)
    stems = {clip.clip_id: clip.stem for clip in real_clips(real, split)}
    pairs = match_clips(stems, fakes)
    if not pairs:
        raise UserError(
            f"no video in {fake} is called like a clip in {real} "
            f"(for example {next(iter(fakes))!r} against {next(iter(stems))!r})"
        )
    rows: list[ClipRow] = []
    for clip in real_clips(real, split):
        if clip.clip_id in pairs:
            rows.append(score_clip(clip, pairs[clip.clip_id], options))
            if on_clip:
                on_clip(len(rows), len(pairs))
    used = set(pairs.values())
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
        "metrics": {metric.name: set_row(metric, rows) for metric in FRAME_METRICS},
        "unmatched": {
            "real": [clip_id for clip_id in stems if clip_id not in pairs],
            "fake": [name for name, path in fakes.items() if path not in used],
        },
        "clips": rows,
    }


def score_clip(clip: RealClip, fake: Path, options: ScoreOptions) -> ClipRow:
    """Scores one clip; what cannot be read or compared becomes a row with the reason."""
    try:
        return _measured(clip, fake, options)
    except (UserError, ValueError, EOFError, cv2.error) as error:
        return {"clip_id": clip.clip_id, "status": "failed", "reason": str(error)}


def _measured(clip: RealClip, fake: Path, options: ScoreOptions) -> ClipRow:
    limit = options.max_frames or None
    values: dict[str, list[float]] = {metric.name: [] for metric in FRAME_METRICS}
    sizes: tuple[str, str, str] | None = None
    frames_real = frames_fake = identical = 0
    pairs = itertools.zip_longest(
        itertools.islice(clip.frames(), limit), itertools.islice(read_frames(fake), limit)
    )
    for real_frame, fake_frame in pairs:
        frames_real += real_frame is not None
        frames_fake += fake_frame is not None
        if real_frame is None or fake_frame is None:
            continue  # the longer one is decoded on, for its length
        size = compared_size(real_frame, fake_frame, options.image_size)
        sizes = sizes or (_size(real_frame), _size(fake_frame), f"{size[0]}x{size[1]}")
        x, y = resize(real_frame, size), resize(fake_frame, size)
        identical += np.array_equal(x, y)
        for metric in FRAME_METRICS:
            values[metric.name].append(metric.measure(x, y))
    if sizes is None:
        raise ValueError(f"no frame to compare: {frames_real} real, {frames_fake} fake")
    means = {name: float(np.mean(column)) for name, column in values.items()}
    if not all(map(math.isfinite, means.values())):
        raise ValueError(f"not finite: {means}")
    return {
        "clip_id": clip.clip_id,
        "status": "ok",
        "warnings": _warnings(frames_real, frames_fake),
        "frames": min(frames_real, frames_fake),
        "frames_real": frames_real,
        "frames_fake": frames_fake,
        "identical_frames": identical,
        "size_real": sizes[0],
        "size_fake": sizes[1],
        "size_compared": sizes[2],
        "values": means,
    }


def _warnings(frames_real: int, frames_fake: int) -> list[str]:
    """A fake may be a frame longer or shorter, by rounding; more means that it lacks something."""
    if abs(frames_real - frames_fake) <= 1:
        return []
    return [f"the fake has {frames_fake} frames, the real clip {frames_real}; the rest is unscored"]


def _size(frame: NDArray[np.uint8]) -> str:
    return f"{frame.shape[1]}x{frame.shape[0]}"


def compared_size(
    real: NDArray[np.uint8], fake: NDArray[np.uint8], image_size: int | None
) -> tuple[int, int]:
    """Width and height at which two frames are compared: the real's, or scaled to `image_size`.

    Raises:
        ValueError: the frames are of different shape, so that resizing would squeeze one.
    """
    (height, width), (fake_height, fake_width) = real.shape[:2], fake.shape[:2]
    if abs(fake_width * height / (fake_height * width) - 1) > SHAPE_TOLERANCE:
        raise ValueError(
            f"the fake is {_size(fake)} and the real clip {_size(real)}: crop one to the other's "
            "shape first"
        )
    scale = image_size / min(width, height) if image_size else 1.0
    return round(width * scale), round(height * scale)


def resize(frame: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A frame at (width, height): pixel-area means when smaller, bicubic when larger."""
    height, width = frame.shape[:2]
    if (width, height) == size:
        return frame
    method = cv2.INTER_AREA if size[0] * size[1] < width * height else cv2.INTER_CUBIC
    return cast("NDArray[np.uint8]", cv2.resize(frame, size, interpolation=method))


def set_row(metric: FrameMetric, rows: Sequence[ClipRow]) -> SetRow:
    """A metric over the clips that were measured, each clip counting once."""
    values = np.array([row["values"][metric.name] for row in rows if row["status"] == "ok"])
    n = len(values)
    return {
        "label": metric.label,
        "direction": metric.direction,
        "protocol": metric.protocol,
        "n": n,
        "mean": float(values.mean()) if n else None,
        "std": float(values.std(ddof=1)) if n > 1 else None,
        "ci95": bootstrap_interval(values) if n > 1 else None,
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
    for side, key in (("real", "size_real"), ("fake", "size_fake")):
        resized = [row for row in done if cast("Any", row)[key] != row["size_compared"]]
        if resized:
            parts.append(
                f"{side} frames resized from {_listed(cast('Any', r)[key] for r in resized)}"
            )
    if any("resized" in part for part in parts):
        parts.append("cv2.INTER_AREA down, cv2.INTER_CUBIC up")
    return "; ".join(parts)


def _listed(sizes: Iterable[str]) -> str:
    names = sorted(set(sizes))
    more = f" and {len(names) - 3} other sizes" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _software() -> dict[str, str]:
    packages = ("diffused-heads", "numpy", "opencv-python", "av")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}
