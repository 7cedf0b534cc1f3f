"""The Fréchet distance of two Gaussians, which FID and FVD are (Dowson & Landau, 1982).

    d² = |μ1 − μ2|² + Tr(Σ1 + Σ2 − 2 (Σ1 Σ2)^½)

The trace of the root is taken as that of the symmetric (Σ1^½ Σ2 Σ1^½)^½, which has the same
eigenvalues: two symmetric eigendecompositions, which neither become complex nor fail where a
covariance is singular, as it is with fewer samples than features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import eigh

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
        x = np.asarray(features, np.float64)
        return cls(float(len(x)), x.sum(0), x.T @ x)

    def add(self, other: Moments, weight: float = 1.0) -> None:
        """Takes up another's vectors, `weight` times each."""
        self.count += weight * other.count
        self.total += weight * other.total
        self.outer += weight * other.outer

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
    root = _root(first)
    eigenvalues = eigh(root @ second @ root, eigvals_only=True, check_finite=False)
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


def _root(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """The symmetric square root; eigenvalues that rounding made negative count as 0."""
    values, vectors = eigh(covariance, check_finite=False)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return np.asarray(root, np.float64)
