"""A generated video against its real clip, frame k with frame k, at one size."""

from collections.abc import Callable, Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from typing_extensions import TypedDict  # in Python 3.11 pydantic takes no other

from benchmarks.clips.decoded_video import DecodedVideo
from benchmarks.metrics.image.mse import mse
from benchmarks.metrics.image.psnr import psnr
from benchmarks.metrics.image.ssim import ssim

# (real, fake), both (H, W, 3) uint8 RGB of one shape, to a finite number.
FRAME_METRICS: dict[str, Callable[[NDArray[np.uint8], NDArray[np.uint8]], float]] = {
    "ssim": ssim,
    "psnr": psnr,
    "mse": mse,
}
# Wav2Lip, PC-AVS and Diff2Lip stay below 0.05 and 1.06 (../shared/data/methods); see the test.
_MOST_OFF = 0.25  # of the face's height
_MOST_SCALED = 1.3  # the larger face over the smaller one
_SHAPE_TOLERANCE = 0.02  # a resized video rounds its sides to even numbers


class FrameComparison(TypedDict, total=False):
    """How the frames of a clip's two videos go together."""

    frames: int
    frames_real: int
    frames_fake: int
    identical_frames: int
    size_real: str
    size_fake: str
    size_compared: str


def compare_frames(
    real: DecodedVideo, fake: DecodedVideo, image_size: int | None
) -> FrameComparison:
    """Compares the frames of a clip as far as both videos go: their number, sizes and equality.

    `image_size`: pixels of the shorter side at which they are compared; None takes the real's.
    """
    if not (real.frames and fake.frames):
        counts = f"{len(real.frames)} real, {len(fake.frames)} fake"
        raise ValueError(f"no frame to compare: {counts}")
    real_size, fake_size = (video.frames[0].shape[1::-1] for video in (real, fake))
    size = compared_size(real_size, fake_size, image_size)
    pairs = list(zip(real.at(size), fake.at(size), strict=False))
    return {
        "frames": len(pairs),
        "frames_real": len(real.frames),
        "frames_fake": len(fake.frames),
        "identical_frames": sum(np.array_equal(x, y) for x, y in pairs),
        "size_real": _size_text(real_size),
        "size_fake": _size_text(fake_size),
        "size_compared": _size_text(size),
    }


def frame_curves(
    real: Sequence[NDArray[np.uint8]],
    fake: Sequence[NDArray[np.uint8]],
    metrics: Collection[str],
    boxes: NDArray[np.integer] | None = None,
) -> dict[str, list[float]]:
    """Each metric of single frames, a number a frame.

    `real`: (H, W, 3) uint8 RGB; `boxes`: (T, 4) x0 y0 x1 y1, what is compared of each frame; None:
    all of it.
    """
    pairs = list(zip(real, fake, strict=True))
    if boxes is not None:
        cuts = [(slice(y0, y1), slice(x0, x1)) for x0, y0, x1, y1 in boxes.tolist()]
        pairs = [(x[cut], y[cut]) for (x, y), cut in zip(pairs, cuts, strict=True)]
    return {
        name: [measure(x, y) for x, y in pairs]
        for name, measure in FRAME_METRICS.items()
        if name in metrics
    }


def compared_size(
    real: Sequence[int], fake: Sequence[int], image_size: int | None
) -> tuple[int, int]:
    """Width and height at which two frames are compared: the real's, or scaled to `image_size`.

    `image_size`: pixels of the shorter side; None takes the real's.
    """
    (width, height), (fake_width, fake_height) = real, fake
    if abs(fake_width * height / (fake_height * width) - 1) > _SHAPE_TOLERANCE:
        raise ValueError(
            f"the fake is {_size_text(fake)} and the real clip {_size_text(real)}: crop one to the "
            "other's shape first"
        )
    scale = image_size / min(width, height) if image_size else 1.0
    return round(width * scale), round(height * scale)


def pair_warnings(comparison: FrameComparison) -> list[str]:
    """What to know of two videos of unlike length, or with the very same frames."""
    real, fake, shared = (comparison[n] for n in ("frames_real", "frames_fake", "frames"))
    found = []
    if abs(real - fake) > 1:  # a frame more or less is rounding
        found.append(f"the fake has {fake} frames, the real clip {real}; both are cut to {shared}")
    if comparison["identical_frames"] >= shared:
        found.append("every frame is that of the real clip: the fake is a copy of it")
    return found


def place_warnings(
    real: NDArray[np.floating],
    fake: NDArray[np.floating],
    real_size: Sequence[int],
    fake_size: Sequence[int],
) -> list[str]:
    """What to know of a fake that is framed in another way than its real clip.

    `real` and `fake`: (T, 68, 2) landmarks in pixels; NaN in frames without a face.
    """
    count = min(len(real), len(fake))
    # As if both had the real frame's size: (T, 68, 2).
    x = np.asarray(real, np.float64)[:count]
    y = np.asarray(fake, np.float64)[:count] * np.divide(real_size, fake_size)
    both = ~(np.isnan(x).any((1, 2)) | np.isnan(y).any((1, 2)))
    if not both.any():
        return []
    heights = [float(np.median(np.ptp(p[both, :, 1], axis=1))) for p in (x, y)]
    step = np.median(y[both].mean(1) - x[both].mean(1), axis=0)
    off, scale = float(np.linalg.norm(step)) / heights[0], heights[1] / heights[0]
    if off <= _MOST_OFF and 1 / _MOST_SCALED <= scale <= _MOST_SCALED:
        return []
    where = f"{off:.1f} of its height away and {scale:.1f} times as large"
    remedy = "crop the fakes like the real clips, or SSIM, PSNR, FID and FVD measure the crop"
    return [f"the face lies elsewhere in the fake: {where}; {remedy}"]


def _size_text(size: Sequence[int]) -> str:
    """Width and height, as in `128x128`."""
    return f"{size[0]}x{size[1]}"
