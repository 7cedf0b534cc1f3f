"""Aligned face crops in the authors' geometry: similarity to a template, smoothed over time."""

from collections.abc import Iterable, Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pipeline.choices import Smoothing
from pipeline.faces.geometry import resample, similarity, transform

# Landmarks that stay put while a face talks: nose base and the four eye corners.
STABLE_POINTS = (33, 36, 39, 42, 45)
# Where they lie in the authors' prepared CREMA-D clips, as shares of the side.
TEMPLATE = np.array(
    [[0.511, 0.588], [0.334, 0.416], [0.432, 0.417], [0.579, 0.413], [0.676, 0.407]]
)

_WINDOW = 7  # frames, the authors' choice
_SIGMA = 2.0  # frames; averages as much noise as the window of 7, without its delay


def smooth(points: NDArray[np.float32], smoothing: Smoothing) -> NDArray[np.float32]:
    """Smooths (T, N, 2) points over time.

    `authors`: the mean of frames t … t + 6, where the last six frames reuse the last full window (a
    look-ahead of three frames, as in the released clips); `gaussian`: centred, sigma of 2 frames;
    `clip`: one mean for the whole clip, so that the head moves in front of a fixed camera; `none`.
    """
    if smoothing == "none":
        return points
    if smoothing == "gaussian":
        return cast("NDArray[np.float32]", gaussian_filter1d(points, _SIGMA, 0, mode="nearest"))
    length = len(points) if smoothing == "clip" else min(_WINDOW, len(points))
    sums = np.cumsum(np.concatenate([np.zeros_like(points[:1]), points]), 0, dtype=np.float64)
    means = (sums[length:] - sums[:-length]) / length
    last = np.repeat(means[-1:], len(points) - len(means), axis=0)
    return np.concatenate([means, last]).astype(np.float32)


def transforms(
    landmarks: NDArray[np.float32], size: int, smoothing: Smoothing
) -> NDArray[np.float64]:
    """The similarity transform of every frame from its stable landmarks to the template.

    (T, 68, 2) landmarks in pixels of the frame to (T, 2, 3), pixels of the frame to pixels of a
    crop of `size`.
    """
    stable = smooth(landmarks[:, list(STABLE_POINTS)], smoothing)
    return np.stack([similarity(points, TEMPLATE * size) for points in stable])


def crop(
    frames: Iterable[NDArray[np.uint8]], matrices: NDArray[np.float64], size: int
) -> Iterator[NDArray[np.uint8]]:
    """Yields size x size crops of the frames; black where a crop leaves its frame."""
    for frame, matrix in zip(frames, matrices, strict=True):
        yield resample(frame, matrix, size)


def crop_landmarks(
    landmarks: NDArray[np.float32], matrices: NDArray[np.float64]
) -> NDArray[np.float32]:
    """(T, 68, 2) landmarks in pixels of the crops."""
    return np.stack([transform(p, m) for p, m in zip(landmarks, matrices, strict=True)])
