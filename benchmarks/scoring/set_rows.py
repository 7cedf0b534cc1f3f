"""Metrics over the set as rows of scores.json, with their bootstrap intervals.

Mouth against sound is held against sounds that are swapped among the clips.
"""

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.catalogue import METRICS
from benchmarks.metrics.metric import Metric
from benchmarks.metrics.speech.speech_sync import SYNC_CONFIDENCE, SYNC_LAG, judge
from benchmarks.scoring.results import SetRow
from pipeline.speech.lip_sync import MAX_LAG
from pipeline.speech.shifts import FEWEST_CLIPS, SetLag, lip_lag_of_set

# What a statistic is made of: an element or a row a clip.
PerClip = NDArray[Any]
Lips = tuple[NDArray[np.floating], NDArray[np.floating]]  # opening and log energy, (T,) each

RESAMPLES = 2000
SLOW_RESAMPLES = 300  # of statistics that are no plain means
_BATCH = 100  # resamples at once: of 10,000 clips 16 MB


def bootstrap_interval(
    clips: PerClip, statistic: Callable[[PerClip], Any] = np.mean, resamples: int = RESAMPLES
) -> list[float] | None:
    """95% percentile interval of a statistic over clips, seed 0; None if it is often undefined.

    `clips`: (N, …), what is known of each; `statistic`: from such an array to a number, or NaN.
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
    metric: str | Metric, n: int, mean: float | None, reason: str = "", **spread: Any
) -> SetRow:
    """The row; `spread` is what is known of std, ci95, real and n_real."""
    metric = METRICS[metric] if isinstance(metric, str) else metric
    row = {
        "label": metric.label,
        "direction": metric.direction,
        "unit": metric.unit,
        "protocol": f"{metric.full_name(n)}: {metric.protocol}",
        "n": n,
        "mean": mean,
        "std": None,
        "ci95": None,
        "real": None,
        "reason": reason,
    }
    return cast("SetRow", row | spread)


def lip_rows(fake: Sequence[Lips], real: Sequence[Lips]) -> dict[str, SetRow]:
    """Lip lag and correlation of a set of clips."""
    of_fake, of_real = lip_lag_of_set(fake), lip_lag_of_set(real) if real else None
    # The interval is that at the set's own lag: the peaks of resamples would lie higher.
    at_lag = of_fake.curves[:, int(of_fake.lag) + MAX_LAG]
    interval = bootstrap_interval(at_lag) if len(fake) > 1 else None
    peak = of_real.peak if of_real else None
    height = set_row(
        "lip_correlation", len(fake), of_fake.peak, ci95=interval, real=peak, n_real=len(real)
    )
    if len(fake) >= FEWEST_CLIPS:
        height["chance"] = of_fake.chance
    return {"lip_lag": _lag_row("lip_lag", of_fake, of_real), "lip_correlation": height}


def speech_rows(
    fake: Sequence[NDArray[np.floating]], real: Sequence[NDArray[np.floating]], dataset: str
) -> dict[str, SetRow]:
    """Sync lag and confidence of `sync_features`; their full names hold what they are fitted on."""
    count = len(real)
    try:
        of_fake, of_real = judge(real, fake)
    except ValueError as error:
        reason = str(error)
        rows = {m.name: set_row(m.name, count, None, reason) for m in (SYNC_LAG, SYNC_CONFIDENCE)}
    else:
        own = of_fake.confidence
        rows = {
            "sync_lag": _lag_row("sync_lag", of_fake.lag, of_real.lag),
            "sync_confidence": set_row(
                "sync_confidence",
                count,
                float(own.mean()),
                std=float(own.std(ddof=1)),
                ci95=bootstrap_interval(own),
                real=float(of_real.confidence.mean()),
                n_real=count,
            ),
        }
    variant = f"fit{count}{re.sub(r'[^a-z0-9]', '', dataset.casefold())}"
    for metric in (SYNC_LAG, SYNC_CONFIDENCE):
        name = replace(metric, variant=variant).full_name(count)
        rows[metric.name]["protocol"] = f"{name}: {metric.protocol}"
    return rows


def _lag_row(name: str, fake: SetLag, real: SetLag | None) -> SetRow:
    """A lag where it is beyond chance, else why there is none."""
    count = len(fake.curves)
    of_real: dict[str, Any] = {
        "real": real.lag if real and real.stands_out else None,
        "n_real": len(real.curves) if real else 0,
    }
    if fake.stands_out:
        interval = bootstrap_interval(
            fake.curves, lambda drawn: float(drawn.mean(0).argmax() - MAX_LAG), SLOW_RESAMPLES
        )
        return set_row(name, count, fake.lag, ci95=interval, **of_real)
    if not fake.peak:
        reason = "no lips move in any clip"
    elif count < FEWEST_CLIPS:
        reason = f"a chance level needs at least {FEWEST_CLIPS} clips, whose sounds can be swapped"
    else:
        reason = (
            f"no lag stands out: the highest correlation is {fake.peak:.2f}, that of swapped "
            f"sounds up to {fake.chance:.2f}"
        )
    return set_row(name, count, None, reason, **of_real)
