"""FID and FVD over a set whose features do not fit into memory."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.frechet import Moments, distance

if TYPE_CHECKING:
    from numpy.typing import NDArray

RESAMPLES = 40
_RESAMPLED = 512  # features; more would take gigabytes for all resamples: FID goes without


class FrechetSet:
    """Moments of the real and the fake features, and of resamples of the clips, in flat memory.

    That is 67 MB for FID (two matrices of 2048 x 2048 in float64) and 105 MB for FVD (82 of
    400 x 400), besides feature vectors, half as many as features, that wait to be taken up at once:
    adding to the matrices then costs less than their products.

    A resample weighs every clip by a Poisson number (Oza & Russell, 2001) that its name decides,
    the same for its real and its fake features. Resampling raises a Fréchet distance by itself,
    since repeated clips are fewer clips: only the spread of the resamples is used.
    """

    def __init__(self) -> None:
        self.clips = 0
        self._all: tuple[Moments, Moments] | None = None
        self._resamples: list[tuple[Moments, Moments]] = []
        self._waiting: tuple[list[NDArray[np.floating]], ...] = ([], [])
        self._weights: tuple[list[NDArray[np.integer]], ...] = ([], [])

    def add(self, clip_id: str, real: NDArray[np.floating], fake: NDArray[np.floating]) -> None:
        """Takes up the features of a clip, (N, D) each."""
        size = real.shape[1]
        if self._all is None:
            self._all = _pair(size)
            many = RESAMPLES if size <= _RESAMPLED else 0
            self._resamples = [_pair(size) for _ in range(many)]
        self.clips += 1
        digest = hashlib.sha256(clip_id.encode("utf-8", "surrogateescape")).digest()
        weights = np.random.default_rng(list(digest)).poisson(1.0, len(self._resamples))
        for side, features in enumerate((real, fake)):
            self._waiting[side].append(features)
            self._weights[side].append(np.tile(weights, (len(features), 1)))
        if max(sum(map(len, waiting)) for waiting in self._waiting) >= size // 2:
            self._take_up()

    def distance(self) -> tuple[float | None, list[float] | None]:
        """The distance, and its 95% interval over clips; None where there is too little of it."""
        self._take_up()
        if self._all is None or min(side.count for side in self._all) < 2:
            return None, None
        found = distance(*self._all)
        enough = [pair for pair in self._resamples if min(side.count for side in pair) >= 2]
        if self.clips < 2 or len(enough) <= RESAMPLES // 2:
            return found, None
        spread = 1.96 * float(np.std([distance(*pair) for pair in enough], ddof=1))
        return found, [max(0.0, found - spread), found + spread]

    def _take_up(self) -> None:
        """Adds what waits to the moments."""
        for side, (waiting, weights) in enumerate(zip(self._waiting, self._weights, strict=True)):
            if not waiting or self._all is None:
                continue
            features = np.concatenate(waiting).astype(np.float64)
            self._all[side].add(features)
            for pair, column in zip(self._resamples, np.concatenate(weights).T, strict=True):
                pair[side].add(features, column)
            waiting.clear()
            weights.clear()


def _pair(size: int) -> tuple[Moments, Moments]:
    return Moments.empty(size), Moments.empty(size)
