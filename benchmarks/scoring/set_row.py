"""A metric over the set as a row of scores.json, and its bootstrap interval."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.metrics.catalogue import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from benchmarks.scoring.results import SetRow

    # What a statistic is made of: an element or a row a clip.
    PerClip = NDArray[Any]

RESAMPLES = 2000
SLOW_RESAMPLES = 300  # of statistics that are no plain means
_BATCH = 100  # resamples at once: of 10,000 clips 16 MB


def bootstrap_interval(
    clips: PerClip,
    statistic: Callable[[PerClip], Any] = np.mean,
    resamples: int = RESAMPLES,
) -> list[float] | None:
    """95% percentile interval of a statistic over clips, seed 0; None if it is often undefined.

    Args:
        clips: (N, …), what is known of each clip; clips are the units that are resampled.
        statistic: from such an array to a number, or NaN.
        resamples: how many are drawn.
    """
    from scipy.stats import DegenerateDataWarning, bootstrap

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DegenerateDataWarning)  # undefined statistics, see below
        drawn = bootstrap(
            (np.arange(len(clips)),),
            lambda chosen: statistic(clips[chosen]),
            n_resamples=resamples,
            batch=_BATCH,
            vectorized=False,
            method="percentile",
            random_state=np.random.default_rng(0),
        ).bootstrap_distribution
    defined = drawn[~np.isnan(drawn)]
    if len(defined) < 0.9 * resamples:
        return None
    return [float(bound) for bound in np.quantile(defined, (0.025, 0.975))]


def set_row(
    name: str,
    n: int,
    mean: float | None,
    reason: str = "",
    std: float | None = None,
    ci95: list[float] | None = None,
    real: float | None = None,
) -> SetRow:
    """The row; without spread where it is not given."""
    metric = METRICS[name]
    return {
        "label": metric.label,
        "direction": metric.direction,
        "unit": metric.unit,
        "protocol": f"{metric.full_name(n)}: {metric.protocol}",
        "n": n,
        "mean": mean,
        "std": std,
        "ci95": ci95,
        "real": real,
        "reason": reason,
    }
