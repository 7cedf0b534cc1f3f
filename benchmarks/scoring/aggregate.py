"""From what is known of single clips to numbers over a set, each with its spread over clips."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.metrics.blinks import rate_and_duration
from benchmarks.metrics.catalogue import METRICS
from benchmarks.metrics.lip_correlation import lag_and_peak
from benchmarks.metrics.wer import word_error_rate
from benchmarks.scoring.frechet_statistics import FrechetSet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from benchmarks.scoring.cache import MeasurementCache
    from benchmarks.scoring.measure import Measured
    from benchmarks.scoring.results import SetRow

RESAMPLES = 2000
SLOW_RESAMPLES = 300  # of statistics that are no plain means
_FRECHET = ("fid", "fvd")
_NO_CLIP = "no clip could be measured; see the reasons of the clips"


class SetStatistics:
    """Takes up clips one after another and keeps little of each.

    Args:
        metrics: names of the metrics that are wanted.
        cache: where the clips' features lie.
    """

    def __init__(self, metrics: Sequence[str], cache: MeasurementCache) -> None:
        self._metrics = metrics
        self._cache = cache
        self._values = {name: array("d") for name in metrics}
        self._real = {name: array("d") for name in metrics}
        self._evidence: dict[str, list[Any]] = {"blinks": [], "lips": [], "wer": []}
        self._frechet = {name: FrechetSet() for name in _FRECHET if name in metrics}
        self._reasons: dict[str, str] = {}

    def add(self, clip: Measured) -> None:
        """Takes up one clip."""
        row = clip.row
        for name in self._metrics:
            if name in row.get("values", {}):
                self._values[name].append(row["values"][name])
            if name in row.get("real_values", {}):
                self._real[name].append(row["real_values"][name])
            if name in row.get("missing", {}):
                self._reasons.setdefault(name, row["missing"][name])
        for name, found in self._evidence.items():
            if name in clip.evidence:
                found.append(_compact(name, clip.evidence[name]))
        for name, pair in self._frechet.items():
            if name in clip.evidence:
                real, fake = (self._cache.load(key) for key in clip.evidence[name])
                pair.add(row["clip_id"], real, fake)

    def rows(self) -> dict[str, SetRow]:
        """Every wanted metric over the clips taken up."""
        return {name: self._row(name) for name in self._metrics}

    def _row(self, name: str) -> SetRow:
        values = np.array(self._values[name])
        real = self._real[name]
        if name in self._frechet:
            return self._distance(name)
        if name in {"blinks_per_second", "blink_duration"}:
            return self._pooled(name, "blinks", _blink_statistic(name), values)
        if name in {"lip_lag", "lip_correlation"}:
            row = self._pooled(name, "lips", _lip_statistic(name), values)
            if name == "lip_correlation" and row["ci95"]:
                row["ci95"] = self._correlation_interval()
            return row
        if name == "wer":
            clips = self._evidence["wer"]
            return _summary(name, len(clips), _wer, clips, self._why(name), values, None)
        if name == "av_offset":
            middle = float(np.median(real)) if real else None
            return _summary(
                name, len(values), np.median, values.tolist(), self._why(name), values, middle
            )
        n = len(values)
        return _set_row(
            name,
            n,
            mean=float(values.mean()) if n else None,
            std=float(values.std(ddof=1)) if n > 1 else None,
            ci95=bootstrap_interval(values) if n > 1 else None,
            real=float(np.mean(real)) if real else None,
            reason="" if n else self._why(name),
        )

    def _distance(self, name: str) -> SetRow:
        found = self._frechet[name]
        mean, interval = found.distance()
        reason = "" if mean is not None else self._why(name)
        n = found.clips
        return _set_row(name, n, mean=mean, std=None, ci95=interval, real=None, reason=reason)

    def _pooled(
        self,
        name: str,
        evidence: str,
        statistic: Callable[[Sequence[Any]], float],
        values: NDArray[np.float64],
    ) -> SetRow:
        """A number that is made of all clips together, not a mean of theirs."""
        clips = self._evidence[evidence]
        real = statistic([clip["real"] for clip in clips]) if clips else None
        fakes = [clip["fake"] for clip in clips]
        return _summary(name, len(clips), statistic, fakes, self._why(name), values, real)

    def _correlation_interval(self) -> list[float]:
        """Of the correlation at the set's own lag: the peaks of resamples would lie higher."""
        curves = np.array([clip["fake"] for clip in self._evidence["lips"]])
        return bootstrap_interval(curves[:, curves.mean(0).argmax()])

    def _why(self, name: str) -> str:
        reasons = {
            "blink_duration": "no eye blinks in any clip",
            "lip_lag": "no lips move in any clip",
        }
        return self._reasons.get(name, reasons.get(name, _NO_CLIP))


def _compact(name: str, evidence: Any) -> Any:
    """Curves as arrays, a quarter of a list's size."""
    if name != "lips":
        return evidence
    return {side: np.asarray(curve, np.float64) for side, curve in evidence.items()}


def bootstrap_interval(values: NDArray[np.float64]) -> list[float]:
    """95% percentile interval of the mean over clips, from 2000 resamples with seed 0.

    Args:
        values: (N,), one number a clip; clips are the units that are resampled.
    """
    generator = np.random.default_rng(0)
    means = [
        values[generator.integers(len(values), size=len(values))].mean() for _ in range(RESAMPLES)
    ]
    return [float(bound) for bound in np.quantile(means, (0.025, 0.975))]


def _bootstrap(
    clips: Sequence[Any], statistic: Callable[[Sequence[Any]], float]
) -> list[float] | None:
    """95% percentile interval of a statistic of clips; None if it is often undefined."""
    generator = np.random.default_rng(0)
    drawn = [
        statistic([clips[k] for k in generator.integers(len(clips), size=len(clips))])
        for _ in range(SLOW_RESAMPLES)
    ]
    known = np.array([value for value in drawn if not np.isnan(value)])
    if len(known) < 0.9 * SLOW_RESAMPLES:
        return None
    return [float(bound) for bound in np.quantile(known, (0.025, 0.975))]


def _summary(
    name: str,
    n: int,
    statistic: Callable[[Sequence[Any]], Any],
    clips: Sequence[Any],
    why: str,
    values: NDArray[np.float64],
    real: float | None,
) -> SetRow:
    mean = float(statistic(clips)) if n else float("nan")
    known = not np.isnan(mean)
    return _set_row(
        name,
        n,
        mean=mean if known else None,
        std=float(values.std(ddof=1)) if len(values) > 1 else None,
        ci95=_bootstrap(clips, statistic) if known and n > 1 else None,
        real=None if real is None or np.isnan(real) else real,
        reason="" if known else why,
    )


def _blink_statistic(name: str) -> Callable[[Sequence[Any]], float]:
    index = 0 if name == "blinks_per_second" else 1

    def statistic(clips: Sequence[Any]) -> float:
        durations = [clip["durations"] for clip in clips]
        return rate_and_duration(durations, [clip["seconds"] for clip in clips])[index]

    return statistic


def _lip_statistic(name: str) -> Callable[[Sequence[Any]], float]:
    index = 0 if name == "lip_lag" else 1
    return lambda curves: lag_and_peak([np.asarray(curve) for curve in curves])[index]


def _wer(clips: Sequence[Any]) -> float:
    return word_error_rate([errors for errors, _ in clips], [length for _, length in clips])


def _set_row(
    name: str,
    n: int,
    *,
    mean: float | None,
    std: float | None,
    ci95: list[float] | None,
    real: float | None,
    reason: str,
) -> SetRow:
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
