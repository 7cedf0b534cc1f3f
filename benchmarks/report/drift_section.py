"""What changes along a clip, as the scores hold it: curves whose names begin with `drift_`."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.report.charts import Series, curves
from benchmarks.report.metric_cards import colour
from pipeline.media import FPS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from benchmarks.scoring.results import Scores

PREFIX = "drift_"
_TITLES = {
    "ssim": "SSIM of frame k",
    "psnr": "PSNR of frame k, dB",
    "sharpness": "Sharpness of the face over the real clip's",
}


def drift_section(scores: Sequence[Scores]) -> str:
    """The mean of each drift curve over clips, by system; empty where there are none."""
    names = dict.fromkeys(
        name
        for one in scores
        for row in one["clips"]
        for name in row.get("curves", {})
        if name.startswith(PREFIX)
    )
    figures = "".join(filter(None, (_figure(name, scores) for name in names)))
    if not figures:
        return ""
    how = (
        "Frame k against frame k of the real clip: means over the clips that still run, as long as "
        "half of them do. A system that draws frame after frame adds error to error: a curve that "
        "keeps falling shows it."
    )
    return f'<h2 id="drift">Drift</h2><p>{how}</p><div class="grid">{figures}</div>'


def _figure(name: str, scores: Sequence[Scores]) -> str:
    lines = []
    for index, one in enumerate(scores):
        found = [row["curves"][name] for row in one["clips"] if name in row.get("curves", {})]
        if found:
            lines.append(Series(one["method"], colour(index), mean_curve(found)))
    lines = [one for one in lines if len(one.values) > 1]
    if not lines:
        return ""
    title = _TITLES.get(name.removeprefix(PREFIX), name)
    seconds = max(len(one.values) for one in lines) / FPS
    drawn = curves(lines, None, seconds)
    return f"<figure><figcaption><b>{escape(title)}</b></figcaption>{drawn}</figure>"


def mean_curve(found: Sequence[Sequence[float]]) -> NDArray[np.float64]:
    """The mean of curves of several lengths, as long as half of them last.

    Args:
        found: one a clip, a number a frame.

    Returns:
        (T,), T the median length.
    """
    length = int(np.median([len(curve) for curve in found]))
    stack = np.full((len(found), length), np.nan)
    for row, curve in zip(stack, found, strict=True):
        part = np.asarray(curve[:length], np.float64)
        row[: len(part)] = part
    return np.asarray(np.nanmean(stack, axis=0))
