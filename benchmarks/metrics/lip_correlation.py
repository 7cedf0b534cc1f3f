"""Lip lag and correlation: lips against loudness, which needs no pretrained network of sync.

What SyncNet measures with a network is seen here in the Pearson correlation of the opening of the
inner lips with the log energy of the sound, over shifts. Good to a frame over a set; one clip is
noisy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from benchmarks.metrics.metric import Metric
from pipeline.faces.mouth_box import mouth_opening
from pipeline.speech.lip_sync import MAX_LAG, correlations, lag_of_set, log_energy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_RULE = (
    "Pearson correlation of inner-lip opening (landmarks 62, 66) with log frame energy, shifts of "
    f"-{MAX_LAG}..{MAX_LAG} frames, mean over clips, a fake without sound against the real clip's"
)
LIP_LAG = Metric(
    "lip_lag",
    "Lip lag",
    "closer",
    "frames",
    f"{_RULE}; the shift of its peak, positive where the sound is late",
)
LIP_CORRELATION = Metric(
    "lip_correlation",
    "Lip correlation",
    "higher",
    "",
    f"{_RULE}; the height of its peak; lips that do not move count as 0",
)


def lip_curves(
    landmarks: NDArray[np.floating], samples: NDArray[np.int16]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Opening of the lips and log energy of the sound, a number a frame.

    Args:
        landmarks: (T, 68, 2), no NaN.
        samples: (N,) int16, mono 16 kHz.
    """
    energy = log_energy(samples, len(landmarks))
    return mouth_opening(landmarks), np.asarray(energy, np.float64)


def lip_correlations(
    opening: NDArray[np.floating], energy: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(31,) correlations at shifts −15 … 15; 0 where lips or sound do not vary at all.

    Raises:
        ValueError: fewer than 20 frames, of which too few would overlap.
    """
    if len(opening) < MAX_LAG + 5:
        raise ValueError(f"lips are correlated over at least {MAX_LAG + 5} frames")
    return np.nan_to_num(correlations(opening, energy), nan=0.0)


def lag_and_peak(curves: Sequence[NDArray[np.floating]]) -> tuple[float, float]:
    """Lag in frames and correlation at the peak of the mean curve; lag NaN where it is flat."""
    lag, correlation = lag_of_set(curves)
    return (lag if correlation else float("nan")), correlation
