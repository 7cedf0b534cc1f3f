"""One fake against its real clip: frame k with frame k, each decoded once, every metric on both."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, cast

import cv2
import numpy as np

from benchmarks.metrics import psnr, ssim
from pipeline.errors import UserError
from pipeline.media import read_frames

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.clips import RealClip
    from benchmarks.results import ClipRow

SHAPE_TOLERANCE = 0.02  # a resized video rounds its sides to even numbers; a squeezed one is worse


@dataclass(frozen=True)
class FrameMetric:
    """A number for one pair of frames.

    Attributes:
        name: key in scores.json.
        label: heading in tables.
        direction: `higher` or `lower`, whichever is better.
        unit: of the number; empty for a pure one.
        protocol: how it is measured, printed wherever the number is.
        measure: (real, fake), both (H, W, 3) uint8 RGB of one shape, to a finite float.
    """

    name: str
    label: str
    direction: Literal["higher", "lower"]
    unit: str
    protocol: str
    measure: Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]


FRAME_METRICS = (
    FrameMetric("ssim", ssim.LABEL, ssim.DIRECTION, "", ssim.PROTOCOL, ssim.ssim),
    FrameMetric("psnr", psnr.LABEL, psnr.DIRECTION, "dB", psnr.PROTOCOL, psnr.psnr),
)


def score_clip(clip: RealClip, fake: Path, max_frames: int, image_size: int | None) -> ClipRow:
    """Scores one clip; what cannot be read or compared becomes a row with the reason.

    Args:
        clip: the real one.
        fake: the video that imitates it.
        max_frames: the most frames compared; 0 compares all.
        image_size: pixels of the shorter side at which they are compared; None takes the real's.
    """
    try:
        return _measured(clip, fake, max_frames, image_size)
    except (UserError, ValueError) as error:
        return {"clip_id": clip.clip_id, "status": "failed", "reason": str(error)}


def _measured(clip: RealClip, fake: Path, max_frames: int, image_size: int | None) -> ClipRow:
    limit = max_frames or None
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
        size = compared_size(real_frame, fake_frame, image_size)
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
        "real_values": {},
        "curves": {},
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
