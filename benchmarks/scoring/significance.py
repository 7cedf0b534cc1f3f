"""Which differences between two systems are beyond noise: a permutation test over common clips.

Systems are scored on the same clips, and a clip that is hard for one is mostly hard for the other.
Were both alike, their values of a clip could be exchanged: p is the share of such exchanges whose
gain is as large, of all 2^n for few clips, else of a sample (Good, Permutation, Parametric and
Bootstrap Tests of Hypotheses, 2005). The interval of the gain is a paired bootstrap's. As many
metrics are looked at, each p is held against Holm's step-down bound, which keeps the chance of one
false alarm among all at 5 %.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.scoring.results import Scores, plain_protocol, same_name, values_of
from pipeline.errors import UserError

RESAMPLES, FEWEST_RESAMPLES = 10_000, 2000
ALPHA = 0.05
FEW_CLIPS = 10  # below, a bootstrap's intervals are too narrow
_MOST_DRAWS = 20_000_000  # of a clip
_DRAWS_AT_ONCE = 2_000_000  # three columns of them take 64 MB

Verdict = Literal["better", "worse", "within noise", "unknown"]


@dataclass(frozen=True)
class Difference:
    """One metric of system A against system B."""

    metric: str  # its name in scores.json
    label: str  # its name in tables
    direction: str  # `higher`, `lower` or `closer`
    a: float | None  # mean of A over the common clips, or the set's number where clips have none
    b: float | None  # of B
    real: float | None  # of the real clips, where `direction` is `closer`
    # By how much A is better than B in the metric's unit, negative if it is worse; for `closer` by
    # how much A's mean is nearer to the real one.
    gain: float | None
    ci95: tuple[float, float] | None  # of the gain; None where clips have no values
    p: float | None  # two-sided, before the bound for many metrics; None where clips have no values
    clips: int  # common clips with a value in both
    verdict: Verdict  # of A; `unknown` where it cannot be tested
    note: str  # why it cannot be tested, or what limits the test


@dataclass(frozen=True)
class Comparison:
    """Two systems, all metrics; `notes`: how to read it, and how the two differ."""

    a: str
    b: str
    clips: int
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


def compare_scores(a: Scores, b: Scores, *, resamples: int = RESAMPLES) -> Comparison:
    """Compares two scores.json metric by metric, over the clips that both have."""
    in_a, in_b = (
        {row["clip_id"] for row in one["clips"] if row["status"] == "ok"} for one in (a, b)
    )
    common = in_a & in_b
    if not common:
        raise UserError(
            f"{a['method']} and {b['method']} have no scored clip in common; "
            "score both on the same real clips"
        )
    # With thousands of clips fewer draws give the same, in less time.
    resamples = min(resamples, max(FEWEST_RESAMPLES, _MOST_DRAWS // len(common)))
    names = [name for name in a["metrics"] if name in b["metrics"]]
    found = [_difference(name, a, b, resamples) for name in names]
    return Comparison(
        a["method"],
        b["method"],
        len(common),
        tuple(_judged(found)),
        tuple(_notes(a, b, found, resamples)),
    )


def _stack(name: str, a: Scores, b: Scores) -> pd.DataFrame:
    """A metric of the clips that have it in both: columns a, b, real; real is 0 where unused."""
    values = {"a": values_of(a, name), "b": values_of(b, name)}
    if a["metrics"][name]["direction"] == "closer":
        values["real"] = values_of(a, name, "real_values")
    both = pd.DataFrame(values, columns=["a", "b", "real"], dtype="float64")
    return both.fillna({"real": 0.0}).dropna() if "real" not in values else both.dropna()


def _difference(name: str, a: Scores, b: Scores, resamples: int) -> Difference:
    """One metric, its verdict still open where single clips decide it."""
    row_a, row_b = a["metrics"][name], b["metrics"][name]
    direction = row_a["direction"]
    stack = _stack(name, a, b)
    clips = len(stack)
    # As the sets have it; shown, and judged by their intervals if they have any.
    found = Difference(
        metric=name,
        label=row_a["label"],
        direction=direction,
        a=row_a["mean"],
        b=row_b["mean"],
        real=row_a["real"],
        gain=None,
        ci95=None,
        p=None,
        clips=clips,
        verdict="unknown",
        note=row_a["reason"] or row_b["reason"] or "no clip has a value in both",
    )
    if clips < 2:
        if found.a is None or found.b is None or (found.real is None and direction == "closer"):
            return found
        gain = float(_gain(np.array([found.a, found.b, found.real or 0.0]), direction))
        mine, other = row_a["ci95"], row_b["ci95"]
        if not (mine and other) or direction == "closer":
            note = "a number of the whole set without an interval: it cannot be tested"
            return replace(found, gain=gain, note=note)
        apart = mine[0] > other[1] or other[0] > mine[1]
        note = "a number of the whole set; judged by whether the 95% intervals are apart"
        verdict: Verdict = ("better" if gain > 0 else "worse") if apart else "within noise"
        return replace(found, gain=gain, note=note, verdict=verdict)

    # By the clips that both have.
    low, high = np.quantile(_resampled_gains(stack, direction, resamples), (0.025, 0.975))
    mean = stack.to_numpy().mean(axis=0)
    alike = plain_protocol(row_a) == plain_protocol(row_b)
    notes = (
        "" if alike else "measured by different protocols",
        _own_number(a, b, name),
        f"only {clips} clips: the interval is too narrow" if clips < FEW_CLIPS else "",
    )
    return replace(
        found,
        a=float(mean[0]),
        b=float(mean[1]),
        real=float(mean[2]) if direction == "closer" else None,
        gain=float(_gain(mean, direction)),
        ci95=(float(low), float(high)),
        p=_exchange_test(stack, direction, resamples),
        note="; ".join(filter(None, notes)),
    )


def _own_number(a: Scores, b: Scores, name: str) -> str:
    """What to know of a metric whose number of the set is no mean over clips: a median, a peak."""
    own = [one["metrics"][name]["mean"] for one in (a, b)]
    means = [np.mean(list(values_of(one, name).values())) for one in (a, b)]
    if all(o is None or np.isclose(o, m) for o, m in zip(own, means, strict=True)):
        return ""
    numbers = " and ".join("n/a" if value is None else f"{value:.3f}" for value in own)
    return f"tested on means over clips; the sets' own numbers are {numbers}"


def _gain(means: NDArray[np.float64], direction: str) -> NDArray[np.float64]:
    """By how much A is better: (…, 3) means of A, B and the real clips to (…)."""
    a, b, real = means[..., 0], means[..., 1], means[..., 2]
    if direction == "closer":
        return np.abs(b - real) - np.abs(a - real)
    return a - b if direction == "higher" else b - a


def _resampled_gains(stack: pd.DataFrame, direction: str, resamples: int) -> NDArray[np.float64]:
    """(resamples,) gains of clips drawn with replacement, both systems' values together."""
    from scipy.stats import bootstrap

    def gain(*columns: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        return _gain(np.stack([column.mean(axis) for column in columns], axis=-1), direction)

    drawn = bootstrap(
        tuple(stack.to_numpy().T),
        gain,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, _DRAWS_AT_ONCE // len(stack)),
        method="percentile",
        random_state=np.random.default_rng(0),
    )
    return np.asarray(drawn.bootstrap_distribution)


def _exchange_test(stack: pd.DataFrame, direction: str, resamples: int) -> float:
    """Two-sided p of the gain where each clip's two values are exchanged or not at random."""
    from scipy.stats import permutation_test

    real = stack["real"].to_numpy().mean()
    unit = stack.abs().to_numpy().max() or 1.0

    def gain(a: NDArray[np.float64], b: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
        means = np.broadcast_arrays(a.mean(axis), b.mean(axis), real)
        # Gains that are equal must not differ by rounding: of `closer`, very many are.
        return np.asarray(np.round(_gain(np.stack(means, axis=-1), direction) / unit, 12))

    found = permutation_test(
        (stack["a"].to_numpy(), stack["b"].to_numpy()),
        gain,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, _DRAWS_AT_ONCE // len(stack)),
        random_state=np.random.default_rng(0),
    )
    return float(found.pvalue)


def _judged(found: Sequence[Difference]) -> list[Difference]:
    """Holm's step-down: the smallest p against 5 % / m, the next against 5 % / (m − 1) ….

    n clips that all agree have p = 2 / 2^n: above the first bound, there are too few to tell.
    """
    tested = sorted((d for d in found if d.p is not None), key=lambda d: d.p or 0.0)
    fewest = math.ceil(math.log2(2 * max(1, len(tested)) / ALPHA))
    verdicts: dict[str, Verdict] = {}
    for place, one in enumerate(tested):
        if (one.p or 0.0) > ALPHA / (len(tested) - place):
            break
        verdicts[one.metric] = "better" if (one.gain or 0.0) > 0 else "worse"
    return [
        d
        if d.p is None
        else replace(d, note=f"too few clips: {fewest} or more can tell; {d.note}".rstrip("; "))
        if d.clips < fewest and d.metric not in verdicts
        else replace(d, verdict=verdicts.get(d.metric, "within noise"))
        for d in found
    ]


def _notes(a: Scores, b: Scores, found: Sequence[Difference], resamples: int) -> list[str]:
    tested = sum(d.p is not None for d in found)
    how = (
        "Permutation test of the difference of means over common clips (all exchanges, or "
        f"{resamples:,} of them, seed 0) with a paired bootstrap's interval; {tested} metrics "
        "tested, so that each p is held against Holm's bound for a family-wise error of 5 %."
    )
    gain = (
        "A positive gain: A is better. For →GT it is by how much A's mean is nearer to the mean of "
        "the real clips than B's."
    )
    notes = [how, gain]
    if not same_name(a["dataset"], b["dataset"]):
        notes.append(f"The data sets are called {a['dataset']} and {b['dataset']}.")
    if a["protocol"] != b["protocol"]:
        notes.append(f"The protocols differ: {a['protocol']} | {b['protocol']}.")
    only = sorted(set(a["metrics"]) ^ set(b["metrics"]))
    if only:
        notes.append(f"In one of the two only: {', '.join(only)}.")
    return notes
