"""Mouth against sound over a set: lag and correlation, held against sounds swapped among clips."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from benchmarks.metrics.lip_correlation import lip_lag_of_set
from benchmarks.metrics.shifts import FEWEST_CLIPS
from benchmarks.metrics.speech_sync import SYNC_CONFIDENCE, SYNC_LAG, judge
from benchmarks.scoring.set_row import SLOW_RESAMPLES, bootstrap_interval, set_row
from pipeline.speech.lip_sync import MAX_LAG

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from benchmarks.metrics.shifts import SetLag
    from benchmarks.scoring.results import SetRow

    Lips = tuple[NDArray[np.floating], NDArray[np.floating]]  # opening and log energy, (T,) each


def lip_rows(fake: Sequence[Lips], real: Sequence[Lips]) -> dict[str, SetRow]:
    """Lip lag and correlation of a set of clips."""
    of_fake, of_real = lip_lag_of_set(fake), lip_lag_of_set(real)
    # The interval is that at the set's own lag: the peaks of resamples would lie higher.
    at_lag = of_fake.curves[:, int(of_fake.lag) + MAX_LAG]
    interval = bootstrap_interval(at_lag) if len(fake) > 1 else None
    height = set_row("lip_correlation", len(fake), of_fake.peak, ci95=interval, real=of_real.peak)
    if len(fake) >= FEWEST_CLIPS:
        height["chance"] = of_fake.chance
    return {"lip_lag": _lag_row("lip_lag", of_fake, of_real), "lip_correlation": height}


def speech_rows(
    fake: Sequence[NDArray[np.floating]], real: Sequence[NDArray[np.floating]], dataset: str
) -> dict[str, SetRow]:
    """Sync lag and confidence; their full names hold the data that they were fitted on.

    Args:
        fake: `sync_features` of each fake.
        real: of its real clip.
        dataset: name of the real clips.
    """
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
            ),
        }
    variant = f"fit{count}{re.sub(r'[^a-z0-9]', '', dataset.casefold())}"
    for metric in (SYNC_LAG, SYNC_CONFIDENCE):
        name = replace(metric, variant=variant).full_name(count)
        rows[metric.name]["protocol"] = f"{name}: {metric.protocol}"
    return rows


def _lag_row(name: str, fake: SetLag, real: SetLag) -> SetRow:
    """A lag where it is beyond chance, else why there is none."""
    count, of_real = len(fake.curves), real.lag if real.stands_out else None
    if fake.stands_out:
        interval = bootstrap_interval(
            fake.curves, lambda drawn: float(drawn.mean(0).argmax() - MAX_LAG), SLOW_RESAMPLES
        )
        return set_row(name, count, fake.lag, ci95=interval, real=of_real)
    if not fake.peak:
        reason = "no lips move, or the sound does not vary, in any clip"
    elif count < FEWEST_CLIPS:
        reason = f"a chance level needs at least {FEWEST_CLIPS} clips, whose sounds can be swapped"
    else:
        reason = (
            f"no lag stands out: the highest correlation is {fake.peak:.2f}, that of swapped "
            f"sounds up to {fake.chance:.2f}"
        )
    return set_row(name, count, None, reason, real=of_real)
