"""The Fréchet distance of two Gaussians, which FID and FVD are (Dowson & Landau, 1982).

    d² = |μ1 − μ2|² + Tr(Σ1 + Σ2 − 2 (Σ1 Σ2)^½)

The trace of the root is taken as that of the symmetric (Lᵀ Σ2 L)^½ with Σ1 = L Lᵀ, which has the
same eigenvalues but zeros. L comes from Cholesky's decomposition with pivots, which ends at the
rank of Σ1: nothing becomes complex or fails where a covariance is singular, as it is with fewer
samples than features, and then it is quickest.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.linalg.lapack import dpstrf

RESAMPLES = 40
_MOST_RESAMPLED = 512  # features; more would take gigabytes for all resamples: FID goes without


@dataclass
class Moments:
    """Sums over feature vectors, taken up some at a time, in float64 and constant memory."""

    count: float  # of vectors, weighted
    total: NDArray[np.float64]  # (D,) their sum
    outer: NDArray[np.float64]  # (D, D) the sum of their outer products

    @classmethod
    def empty(cls, dimension: int) -> "Moments":
        """Of no vector."""
        return cls(0.0, np.zeros(dimension), np.zeros((dimension, dimension)))

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> "Moments":
        """Of (N, D) feature vectors."""
        moments = cls.empty(features.shape[1])
        moments.add(features)
        return moments

    @classmethod
    def of_gaussian(cls, mean: NDArray[np.floating], covariance: NDArray[np.floating]) -> "Moments":
        """Of two vectors with that mean, (D,), and covariance, (D, D), over count − 1."""
        mu = np.asarray(mean, np.float64)
        return cls(2.0, 2 * mu, np.asarray(covariance, np.float64) + 2 * np.outer(mu, mu))

    def add(
        self, features: NDArray[np.floating], weights: NDArray[np.integer] | None = None
    ) -> None:
        """Takes up feature vectors; quickest a thousand at a time.

        `features`: (N, D); `weights`: (N,), how often each counts; None: once.
        """
        x = np.asarray(features, np.float64)
        if weights is not None:
            root = np.sqrt(weights[weights > 0])[:, None]
            x = x[weights > 0] * root
            self.count += float(weights.sum())
            self.total += (x * root).sum(0)
        else:
            self.count += len(x)
            self.total += x.sum(0)
        self.outer += x.T @ x

    @property
    def mean(self) -> NDArray[np.float64]:
        """(D,)."""
        return self.total / self.count

    @property
    def covariance(self) -> NDArray[np.float64]:
        """(D, D) over count − 1."""
        centred = self.outer - self.count * np.outer(self.mean, self.mean)
        return centred / (self.count - 1)


def frechet_distance(
    mean1: NDArray[np.floating],
    covariance1: NDArray[np.floating],
    mean2: NDArray[np.floating],
    covariance2: NDArray[np.floating],
) -> float:
    """Squared Fréchet distance of two Gaussians, at least 0.

    `mean1`: (D,); `covariance1`: (D, D), symmetric and positive semi-definite up to rounding;
    `mean2`: (D,); `covariance2`: (D, D), likewise.
    """
    first, second = np.asarray(covariance1, np.float64), np.asarray(covariance2, np.float64)
    factor = _factor(first)
    eigenvalues = eigh(factor.T @ second @ factor, eigvals_only=True, check_finite=False)
    trace_of_root = np.sqrt(np.maximum(eigenvalues, 0)).sum()
    step = np.asarray(mean1, np.float64) - np.asarray(mean2, np.float64)
    distance = step @ step + np.trace(first) + np.trace(second) - 2 * trace_of_root
    return max(0.0, float(distance))


def distance(one: Moments, other: "Moments") -> float:
    """Squared Fréchet distance of the Gaussians fitted to two sets of feature vectors."""
    if min(one.count, other.count) < 2:
        counts = f"{one.count:.0f} and {other.count:.0f}"
        raise ValueError(f"a covariance needs at least two feature vectors, not {counts}")
    return frechet_distance(one.mean, one.covariance, other.mean, other.covariance)


def _factor(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """L, (D, rank), with covariance = L Lᵀ; what rounding made negative counts as 0."""
    lower, pivots, rank, _ = dpstrf(covariance, lower=1)
    factor = np.empty((len(covariance), rank))
    factor[pivots - 1] = np.tril(lower[:, :rank])  # LAPACK counts from 1
    return factor


class FrechetOverClips:
    """Fréchet distance of real and fake features, and its interval over clips, in flat memory.

    That is 67 MB for FID (two matrices of 2048 x 2048 in float64) and 105 MB for FVD (82 of
    400 x 400), besides feature vectors, half as many as features, that wait to be taken up at once:
    adding to the matrices then costs less than their products.

    A resample weighs every clip by a Poisson number (Oza & Russell, 2001) that its name decides,
    the same for its real and its fake features. Resampling raises a Fréchet distance by itself,
    since repeated clips are fewer clips: only the spread of the resamples is used. With a
    `reference` of real features only fakes are taken up and resampled.
    """

    def __init__(self, reference: Moments | None = None) -> None:
        self._reference = reference
        self.clips = 0
        self._all: tuple[Moments, Moments] | None = None
        self._resamples: list[tuple[Moments, Moments]] = []
        # Features of real and fake, and how often each resample counts the clip.
        self._waiting: list[tuple[NDArray[Any], NDArray[Any], NDArray[np.integer]]] = []

    def add(
        self, clip_id: str, real: NDArray[np.floating] | None, fake: NDArray[np.floating]
    ) -> None:
        """Takes up the features of a clip, (N, D) and (M, D); of a reference no real ones."""
        size = fake.shape[1]
        real = np.empty((0, size)) if real is None else real
        if self._all is None:
            self._all = _pair(size)
            many = RESAMPLES if size <= _MOST_RESAMPLED else 0
            self._resamples = [_pair(size) for _ in range(many)]
        self.clips += 1
        digest = hashlib.sha256(clip_id.encode("utf-8", "surrogateescape")).digest()
        weights = np.random.default_rng(list(digest)).poisson(1.0, len(self._resamples))
        self._waiting.append((real, fake, weights))
        if max(sum(len(clip[side]) for clip in self._waiting) for side in (0, 1)) >= size // 2:
            self._take_up()

    @property
    def counts(self) -> tuple[int, int]:
        """Feature vectors of the real and of the fake clips."""
        self._take_up()
        real, fake = self._all or (Moments.empty(0), Moments.empty(0))
        return round(real.count), round(fake.count)

    def distance(self) -> tuple[float, list[float] | None]:
        """The distance, and its 95% interval over clips; None where there are too few of them."""
        self._take_up()
        if self._all is None:
            raise ValueError("no feature vector")
        known = self._reference
        found = distance(known or self._all[0], self._all[1])
        resamples = [(known or real, fake) for real, fake in self._resamples]
        enough = [pair for pair in resamples if min(side.count for side in pair) >= 2]
        if self.clips < 2 or len(enough) <= RESAMPLES // 2:
            return found, None
        spread = 1.96 * float(np.std([distance(*pair) for pair in enough], ddof=1))
        return found, [max(0.0, found - spread), found + spread]

    def _take_up(self) -> None:
        """Adds what waits to the moments."""
        if not self._waiting or self._all is None:
            return
        *sides, weights = zip(*self._waiting, strict=True)
        for side, clips in enumerate(sides):
            features = np.concatenate(clips).astype(np.float64)
            counts = np.repeat(weights, [len(clip) for clip in clips], axis=0)
            self._all[side].add(features)
            for pair, column in zip(self._resamples, counts.T, strict=True):
                pair[side].add(features, column)
        self._waiting.clear()


def _pair(size: int) -> tuple[Moments, Moments]:
    return Moments.empty(size), Moments.empty(size)
