"""What `samplers.py` measures of drawn clips against the real ones, and what counts as worse."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from benchmarks.metrics.fid import fid_features
from benchmarks.metrics.psnr import psnr
from benchmarks.metrics.ssim import ssim
from benchmarks.networks.inception import load_inception
from pipeline.errors import UserError
from pipeline.faces.sharpness import sharpness
from pipeline.weights import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.faces.tracking import Tracker

    Frame = NDArray[np.uint8]
    Features = Callable[[Sequence[Frame]], NDArray[np.floating]]

# Each measure, and whether more of it is better; None: nearer to the real clip's is better.
MEASURES: dict[str, bool | None] = {
    "SSIM": True,
    "PSNR": True,
    "lips": True,
    "OFM": None,
    "sharpness": None,
}
_RESAMPLES = 2000


@dataclass(frozen=True)
class Clip:
    """A real clip at the model's size.

    Attributes:
        frames: (S, S, 3) uint8 each.
        speech: (T, F) features.
    """

    frames: list[Frame]
    speech: NDArray[np.float32]


def lips(video: list[Frame], tracker: Tracker) -> NDArray[np.float64]:
    """(T,) opening of the inner lips as a share of the frame's side; NaN without a face."""
    large = [cv2.resize(frame, (256, 256), interpolation=cv2.INTER_CUBIC) for frame in video]
    points = tracker.track(large).points
    return np.asarray((points[:, 66, 1] - points[:, 62, 1]) / 256, np.float64)


def flow(video: list[Frame]) -> float:
    """Mean magnitude of optical flow between frames in pixels (the paper's eq. 20)."""
    grey = [cv2.cvtColor(cv2.resize(frame, (128, 128)), cv2.COLOR_RGB2GRAY) for frame in video]
    found = [
        cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 7, 5, 15, 5, 1.2, 0)
        for a, b in itertools.pairwise(grey)
    ]
    return float(np.mean([np.linalg.norm(one, axis=2).mean() for one in found]))


def correlation(fake: NDArray[np.float64], real: NDArray[np.float64]) -> float:
    """Pearson correlation where both are known; 0 where the fake's lips do not move."""
    known = ~(np.isnan(fake) | np.isnan(real))
    if known.sum() < 5 or not fake[known].std() or not real[known].std():
        return 0.0
    return float(np.corrcoef(fake[known], real[known])[0, 1])


def measure(
    videos: list[list[Frame]], clips: list[Clip], openings: list[NDArray[np.float64]],
    tracker: Tracker,
) -> dict[str, NDArray[np.float64]]:  # fmt: skip
    """Every measure of every clip."""
    rows = []
    for video, clip, opening in zip(videos, clips, openings, strict=True):
        pairs = list(zip(clip.frames, video, strict=True))
        rows.append(
            [
                np.mean([ssim(*pair) for pair in pairs]),
                np.mean([psnr(*pair) for pair in pairs]),
                correlation(lips(video, tracker), opening),
                flow(video) / flow(clip.frames),
                np.nanmean([sharpness(f) for f in video])
                / np.nanmean([sharpness(f) for f in clip.frames]),
            ]
        )
    return dict(zip(MEASURES, np.array(rows, np.float64).T, strict=True))


def worse(values: NDArray[np.float64], reference: NDArray[np.float64], name: str) -> bool:
    """Whether a measure is surely worse than the reference's, clip by clip.

    Args:
        values: (N,), a number a clip.
        reference: (N,), of the same clips.
        name: of the measure.
    """
    if MEASURES[name] is None:
        # Shares of the real clip's: the distance from 1 counts, as a ratio.
        values, reference = -np.abs(np.log(values)), -np.abs(np.log(reference))
    draws = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    return bool(np.quantile((values - reference)[draws].mean(1), 0.975) < 0)


def inception_features(weights_dir: Path | None) -> Features | None:
    """A function from frames to (T, 2048) features; None where the network is not at hand."""
    try:
        network = load_inception(locate("inception-2015.pt", weights_dir))
    except UserError:
        return None
    return lambda frames: fid_features(network, frames)
