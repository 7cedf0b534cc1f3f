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
from typing import Any, Literal

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

Values = NDArray[np.float64]  # (N,) a number a clip
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
        gain = float(_gain(found.a, found.b, found.real or 0.0, direction))
        mine, other = row_a["ci95"], row_b["ci95"]
        if not (mine and other) or direction == "closer":
            note = "a number of the whole set without an interval: it cannot be tested"
            return replace(found, gain=gain, note=note)
        apart = mine[0] > other[1] or other[0] > mine[1]
        note = "a number of the whole set; judged by whether the 95% intervals are apart"
        verdict: Verdict = ("better" if gain > 0 else "worse") if apart else "within noise"
        return replace(found, gain=gain, note=note, verdict=verdict)

    # By the clips that both have.
    a_values, b_values, real_values = stack.to_numpy().T
    mean_a, mean_b, real = a_values.mean(), b_values.mean(), real_values.mean()
    interval, p = _tested((a_values, b_values, real_values), direction, resamples)
    alike = plain_protocol(row_a) == plain_protocol(row_b)
    notes = (
        "" if alike else "measured by different protocols",
        _own_number(a, b, name),
        f"only {clips} clips: the interval is too narrow" if clips < FEW_CLIPS else "",
    )
    return replace(
        found,
        a=float(mean_a),
        b=float(mean_b),
        real=float(real) if direction == "closer" else None,
        gain=float(_gain(mean_a, mean_b, real, direction)),
        ci95=interval,
        p=p,
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


def _gain(a: Any, b: Any, real: Any, direction: str) -> Any:
    """By how much A is better, of means of A, B and the real clips: numbers or arrays."""
    if direction == "closer":
        return np.abs(b - real) - np.abs(a - real)
    return a - b if direction == "higher" else b - a


def _tested(
    columns: tuple[Values, Values, Values], direction: str, resamples: int
) -> tuple[tuple[float, float], float]:
    """95% interval of the gain, clips drawn with replacement, and its two-sided p.

    For p each clip's two values are exchanged or not at random. `columns`: (N,) of A, B, real each.
    """
    from scipy.stats import bootstrap, permutation_test

    real, unit = columns[2].mean(), np.abs(columns).max() or 1.0

    def gain(a: Values, b: Values, real: Values, axis: int) -> Any:
        return _gain(a.mean(axis), b.mean(axis), real.mean(axis), direction)

    def rounded(a: Values, b: Values, axis: int) -> Any:
        # Gains that are equal must not differ by rounding: of `closer`, very many are.
        return np.round(_gain(a.mean(axis), b.mean(axis), real, direction) / unit, 12)

    shared = {"vectorized": True, "n_resamples": resamples}
    shared["batch"] = max(1, _DRAWS_AT_ONCE // len(columns[0]))
    rng, again = np.random.default_rng(0), np.random.default_rng(0)
    drawn = bootstrap(columns, gain, paired=True, method="percentile", random_state=rng, **shared)
    exchanged = permutation_test(
        columns[:2], rounded, permutation_type="samples", random_state=again, **shared
    )
    low, high = np.quantile(drawn.bootstrap_distribution, (0.025, 0.975))
    return (float(low), float(high)), float(exchanged.pvalue)


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
    judged = []
    for one in found:
        if one.p is None:
            judged.append(one)
        elif one.clips < fewest and one.metric not in verdicts:
            note = f"too few clips: {fewest} or more can tell; {one.note}".rstrip("; ")
            judged.append(replace(one, note=note))
        else:
            judged.append(replace(one, verdict=verdicts.get(one.metric, "within noise")))
    return judged


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
