"""What the report shows of metrics, of clips and of drift: numbers and plots for its template."""

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.report.excerpts import Excerpt, order_clips
from benchmarks.report.figures import Mean, Series, curves, distribution, system_colour
from benchmarks.scoring.results import Scores, SetRow, values_of
from benchmarks.tables.table import ARROWS
from pipeline.media import FPS

_DRIFT = "drift_"  # how names of curves in the scores begin
_DRIFT_TITLES = {
    "ssim": "SSIM of frame k",
    "psnr": "PSNR of frame k, dB",
    "sharpness": "Sharpness of the face over the real clip's",
    "csim": "CSIM of second k",
}
_DRIFT_RATES = {"csim": 1}  # numbers a second; of the others, one a frame


def metric_names(scores: Sequence[Scores]) -> list[str]:
    """Every metric that one of the scores has, in their order."""
    return list(dict.fromkeys(name for one in scores for name in one["metrics"]))


def label_of(scores: Sequence[Scores], name: str) -> str:
    """What tables call a metric."""
    rows = (one["metrics"].get(name) for one in scores)
    return next((row["label"] for row in rows if row), name)


def metric_cards(group: Sequence[Scores]) -> dict[str, Any]:
    """A card for each metric that was measured, and the rows of those that were not."""
    cards, missing = [], []
    for name in metric_names(group):
        rows = [one["metrics"].get(name) for one in group]
        if any(row and row["mean"] is not None for row in rows):
            cards.append(_metric_card(name, group, rows))
        else:
            missing.append(next(row for row in rows if row))
    return {"cards": cards, "missing": missing}


def _metric_card(
    name: str, group: Sequence[Scores], rows: Sequence[SetRow | None]
) -> dict[str, Any]:
    """One metric: numbers of the systems, the plot, the clips at its ends."""
    first = next(row for row in rows if row and row["mean"] is not None)
    real = next((row["real"] for row in rows if row and row["real"] is not None), None)
    means, series = [], []
    for k, (one, row) in enumerate(zip(group, rows, strict=True)):
        if row and row["mean"] is not None:
            low_high = (row["ci95"][0], row["ci95"][1]) if row["ci95"] else None
            means.append(Mean(one["method"], system_colour(k), row["mean"], low_high))
        if values := values_of(one, name):
            series.append(Series(one["method"], system_colour(k), _numbers(values.values())))
    real_values = {clip: v for s in group for clip, v in values_of(s, name, "real_values").items()}
    if series and real_values:
        series.append(Series("real", "real", _numbers(real_values.values())))
    ordered = order_clips(group, name)
    # A single dot on an axis carries no information.
    has_plot = series or len(means) > 1 or real is not None
    return {
        "row": first,
        "counts": ", ".join(dict.fromkeys(str(row["n"]) for row in rows if row)),
        "arrow": ARROWS[first["direction"]],
        "numbers": [(one["method"], system_colour(k), rows[k]) for k, one in enumerate(group)],
        "real": real,
        "plot": distribution(series, means, real) if has_plot else "",
        "ends": [("worst", ordered[0]), ("best", ordered[-1])] if len(ordered) > 1 else [],
    }


def clip_card(group: Sequence[Scores], excerpt: Excerpt, by: str) -> dict[str, Any]:
    """One clip: video, lips over loudness, values by metric, warnings."""
    rows = [
        next((row for row in one["clips"] if row["clip_id"] == excerpt.clip_id), None)
        for one in group
    ]
    own_rows = [row for row in rows if row]

    # Opening of the lips, real and generated, over the energy of the sound.
    lines: list[Series] = []
    energy = None
    for k, row in enumerate(rows):
        found = row.get("curves", {}) if row else {}
        if len(found.get("lips_real", ())) > 1 and not lines:
            lines.append(Series("real", "real", _numbers(found["lips_real"])))
            energy = _numbers(found.get("energy", []))
        if len(found.get("lips_fake", ())) > 1:
            name = group[k]["method"]
            lines.append(Series(name, system_colour(k), _numbers(found["lips_fake"])))
    lines = [one for one in lines if np.isfinite(one.values).any()]
    seconds = max((len(one.values) for one in lines), default=0) / FPS

    # Every metric with a column for each system and one for the real clip; the choosing one first.
    names = dict.fromkeys(name for row in own_rows for name in row.get("values", {}))
    values = []
    for name in sorted(names, key=lambda name: name != by):
        own = [
            (row.get("values", {}).get(name) if row else None, system_colour(k))
            for k, row in enumerate(rows)
        ]
        real = (row.get("real_values", {}).get(name) for row in own_rows)
        first_real = next((value for value in real if value is not None), None)
        values.append((label_of(group, name), [*own, (first_real, "real")]))
    return {
        "excerpt": excerpt,
        "lips": curves(lines, seconds, area=energy) if lines else "",
        "values": values,
        "warnings": [text for row in own_rows for text in row.get("warnings", [])],
    }


def _numbers(values: Iterable[float | None]) -> NDArray[np.float64]:
    """Numbers whose gaps, None, are NaN."""
    return np.array(list(values), np.float64)


def drift_figures(group: Sequence[Scores]) -> list[tuple[str, str]]:
    """(title, plot) of what changes along a clip: the mean over clips, a curve a system."""
    found: dict[str, list[Series]] = {}
    for k, one in enumerate(group):
        by_name: dict[str, list[list[float]]] = {}
        for row in one["clips"]:
            for name, curve in row.get("curves", {}).items():
                if name.startswith(_DRIFT):
                    by_name.setdefault(name.removeprefix(_DRIFT), []).append(curve)
        for name, clips in by_name.items():
            mean = mean_curve(clips)
            if len(mean) > 1:
                found.setdefault(name, []).append(Series(one["method"], system_colour(k), mean))
    return [
        (
            _DRIFT_TITLES.get(name, name),
            curves(lines, max(len(s.values) for s in lines) / _DRIFT_RATES.get(name, FPS)),
        )
        for name, lines in found.items()
    ]


def mean_curve(clips: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """The mean of curves of several lengths, (T,), as long as half of them last."""
    length = int(np.median([len(curve) for curve in clips]))
    frames = np.array(list(itertools.zip_longest(*clips, fillvalue=np.nan)), np.float64)
    return np.asarray(np.nanmean(frames[:length], axis=1))
