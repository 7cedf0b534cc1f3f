"""The Fréchet distance of two Gaussians, which FID and FVD are (Dowson & Landau, 1982).

    d² = |μ1 − μ2|² + Tr(Σ1 + Σ2 − 2 (Σ1 Σ2)^½)

The trace of the root is taken as that of the symmetric (Lᵀ Σ2 L)^½ with Σ1 = L Lᵀ, which has the
same eigenvalues but zeros. L comes from Cholesky's decomposition with pivots, which ends at the
rank of Σ1: nothing becomes complex or fails where a covariance is singular, as it is with fewer
samples than features, and then it is quickest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh
from scipy.linalg.lapack import dpstrf

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass
class Moments:
    """Sums over feature vectors, taken up some at a time, in float64 and constant memory.

    Attributes:
        count: of vectors, weighted.
        total: (D,) their sum.
        outer: (D, D) the sum of their outer products.
    """

    count: float
    total: NDArray[np.float64]
    outer: NDArray[np.float64]

    @classmethod
    def empty(cls, dimension: int) -> Moments:
        """Of no vector."""
        return cls(0.0, np.zeros(dimension), np.zeros((dimension, dimension)))

    @classmethod
    def of(cls, features: NDArray[np.floating]) -> Moments:
        """Of (N, D) feature vectors."""
        moments = cls.empty(features.shape[1])
        moments.add(features)
        return moments

    def add(
        self, features: NDArray[np.floating], weights: NDArray[np.integer] | None = None
    ) -> None:
        """Takes up feature vectors; quickest a thousand at a time.

        Args:
            features: (N, D).
            weights: (N,), how often each counts; None: once.
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

    Args:
        mean1: (D,).
        covariance1: (D, D), symmetric and positive semi-definite up to rounding.
        mean2: (D,).
        covariance2: (D, D), likewise.
    """
    first, second = np.asarray(covariance1, np.float64), np.asarray(covariance2, np.float64)
    factor = _factor(first)
    eigenvalues = eigh(factor.T @ second @ factor, eigvals_only=True, check_finite=False)
    trace_of_root = np.sqrt(np.maximum(eigenvalues, 0)).sum()
    step = np.asarray(mean1, np.float64) - np.asarray(mean2, np.float64)
    distance = step @ step + np.trace(first) + np.trace(second) - 2 * trace_of_root
    return max(0.0, float(distance))


def distance(one: Moments, other: Moments) -> float:
    """Squared Fréchet distance of the Gaussians fitted to two sets of feature vectors.

    Raises:
        ValueError: fewer than two vectors in one of them.
    """
    if min(one.count, other.count) < 2:
        raise ValueError("a covariance needs at least two feature vectors")
    return frechet_distance(one.mean, one.covariance, other.mean, other.covariance)


def _factor(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """L, (D, rank), with covariance = L Lᵀ; what rounding made negative counts as 0."""
    lower, pivots, rank, _ = dpstrf(covariance, lower=1)
    factor = np.empty((len(covariance), rank))
    factor[pivots - 1] = np.tril(lower[:, :rank])  # LAPACK counts from 1
    return factor
