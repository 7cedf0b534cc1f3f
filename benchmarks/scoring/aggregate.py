"""From the numbers of single clips to numbers over the set, each with its spread over clips."""

from array import array
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips.cache import MeasurementCache
from benchmarks.metrics.distribution.frechet import FrechetOverClips
from benchmarks.metrics.distribution.kid import chosen_frames, kid
from benchmarks.metrics.metric import Metric
from benchmarks.metrics.motion.blinks import rate_and_duration
from benchmarks.metrics.speech.wer import error_rate
from benchmarks.scoring import set_rows
from benchmarks.scoring.clip_videos import Features
from benchmarks.scoring.reference import Reference
from benchmarks.scoring.results import SetRow
from benchmarks.scoring.scorer import MeasuredClip

# What a statistic is made of: an element or a row a clip.
PerClip = NDArray[Any]


def _blinks(clips: PerClip) -> tuple[float, float]:
    return rate_and_duration(
        [clip["durations"] for clip in clips], [clip["seconds"] for clip in clips]
    )


# Numbers that are made of all clips together: what of a clip they need, and the statistic.
_POOLED: dict[str, tuple[str, Callable[[PerClip], float]]] = {
    "blinks_per_second": ("blinks", lambda clips: _blinks(clips)[0]),
    "blink_duration": ("blinks", lambda clips: _blinks(clips)[1]),
    "wer": ("wer", lambda counts: error_rate(*counts.T[:2])),
    "cer": ("wer", lambda counts: error_rate(*counts.T[2:])),
}
_UNKNOWN = "no clip could be measured; see the reasons of the clips"
_UNITS = {"fid": "frame", "fvd": "window"}  # what a feature vector is of


@dataclass
class SetStatistics:
    """Takes up clips one after another and keeps little of each."""

    metrics: Mapping[str, Metric]  # the chosen ones, by name, as their options have them
    cache: MeasurementCache  # where the clips' features lie
    # Name of the real clips, which is in the names of numbers that are fitted on them.
    dataset: str = ""
    # Statistics of real clips that take the place of those scored in FID and FVD.
    reference: Reference | None = None

    def __post_init__(self) -> None:
        known = self.reference.moments if self.reference else {}
        self._values: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self._real_values: dict[str, array[float]] = defaultdict(lambda: array("d"))
        self._pooled: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._frechet = {
            name: FrechetOverClips(known.get(name)) for name in _UNITS if name in self.metrics
        }
        self._reasons: dict[str, str] = {}

    def add(self, clip: MeasuredClip) -> None:
        """Takes up one clip."""
        row, pooled = clip
        for name, value in row.get("values", {}).items():
            self._values[name].append(value)
        for name, value in row.get("real_values", {}).items():
            self._real_values[name].append(value)
        self._reasons = row.get("missing", {}) | self._reasons  # the first clip's stays
        for name, sides in pooled.items():
            if name in self._frechet:
                found = {side: self._load(features) for side, features in sides.items()}
                self._frechet[name].add(row["clip_id"], found.get("real"), found["fake"])
            else:
                self._pooled[name].append(sides)

    def rows(self) -> dict[str, SetRow]:
        """Every chosen metric over the clips taken up."""
        together = self._sync_rows() | self._kernel_row()
        return {name: together.get(name) or self._row(name) for name in self.metrics}

    def _row(self, name: str) -> SetRow:
        if name in self._frechet:
            return self._frechet_row(name)
        fake, real = np.array(self._values[name]), np.array(self._real_values[name])
        std = float(fake.std(ddof=1)) if len(fake) > 1 else None
        statistic: Callable[[PerClip], Any] = np.median if name == "av_offset" else np.mean
        if name in _POOLED:
            what, statistic = _POOLED[name]
            fake, real = map(np.array, self._sides(what))

        n = len(fake)
        of_real: dict[str, Any] = {"real": _defined(statistic, real), "n_real": len(real)}
        metric, mean = self.metrics[name], _defined(statistic, fake)
        if mean is None:  # a median of no blinks is undefined
            blinkless = n and name == "blink_duration"
            reason = "no eye blinks in any clip" if blinkless else self._reasons.get(name, _UNKNOWN)
            return set_rows.set_row(metric, n, None, reason, std=std, **of_real)
        resamples = set_rows.RESAMPLES if statistic is np.mean else set_rows.SLOW_RESAMPLES
        interval = set_rows.bootstrap_interval(fake, statistic, resamples) if n > 1 else None
        return set_rows.set_row(metric, n, mean, std=std, ci95=interval, **of_real)

    def _sides(self, what: str) -> tuple[list[Any], list[Any]]:
        """What is kept of the fakes and of the real clips; one may lack what the other has."""
        clips = self._pooled[what]
        fake, real = ([c[side] for c in clips if side in c] for side in ("fake", "real"))
        return fake, real

    def _sync_rows(self) -> dict[str, SetRow]:
        """What all clips together say of mouth and sound."""
        rows = {}
        fake, real = self._sides("lips")
        if fake:
            rows = set_rows.lip_rows(fake, real)
        fake, real = ([*map(self.cache.load, keys)] for keys in self._sides("speech_sync"))
        if fake:
            rows |= set_rows.speech_rows(fake, real, self.dataset)
        return {name: row for name, row in rows.items() if name in self.metrics}

    def _load(self, features: Features) -> NDArray[np.float32]:
        key, count = features
        return self.cache.load(key)[:count]

    def _kernel_row(self) -> dict[str, SetRow]:
        """KID, where it was measured."""
        n = len(self._pooled["kid"])
        if not n:
            return {}
        fake, real = (
            [chosen_frames(self._load(features), n) for features in side]
            for side in self._sides("kid")
        )
        try:
            mean, interval = kid(real, fake)
        except ValueError as error:
            return {"kid": set_rows.set_row("kid", n, None, str(error))}
        row = set_rows.set_row("kid", n, mean, ci95=interval)
        frames = [sum(map(len, side)) for side in (real, fake)]
        row["protocol"] += f"; of {frames[0]} real and {frames[1]} generated frames"
        return {"kid": row}

    def _frechet_row(self, name: str) -> SetRow:
        over_clips = self._frechet[name]
        n = over_clips.clips
        mean, interval, reason = None, None, self._reasons.get(name, _UNKNOWN)
        unit = _UNITS[name]
        if n:
            try:
                (mean, interval), reason = over_clips.distance(), ""
            except ValueError as error:
                reason = f"{error} (one is made of a {unit}); score more or longer clips"
        row = set_rows.set_row(self.metrics[name], n, mean, reason, ci95=interval)
        real, fake = over_clips.counts
        of_real, reference = str(real), self.reference
        if reference and name in reference.moments:
            of_real = str(reference.about.get("vectors", {}).get(name, "unknown"))
            row["protocol"] += f"; against {reference.source}"
        row["protocol"] += f"; of {of_real} real and {fake} generated {unit}s"
        return row


def _defined(statistic: Callable[[PerClip], Any], clips: PerClip) -> float | None:
    """A statistic of clips; None without a clip, or where it is NaN."""
    value = float(statistic(clips)) if len(clips) else float("nan")
    return None if np.isnan(value) else value
