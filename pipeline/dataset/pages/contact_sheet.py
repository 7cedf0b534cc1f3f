"""One self-contained HTML page on which a curator looks a data set over."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from tarfile import TarError
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.dataset.pages.clip_card import clip_card
from pipeline.dataset.prep_options import flat_options
from pipeline.dataset.rows import drop_reasons, read_rows
from pipeline.dataset.sample import Sample, from_members
from pipeline.dataset.shards import read_dataset, read_shard
from pipeline.errors import UserError
from pipeline.files import write_text
from pipeline.media import FPS
from pipeline.plots import COLOURS, bare_figure, inline_svg
from pipeline.progress import progress
from pipeline.storage import Folder
from pipeline.templates import environment
from pipeline.units import evenly, number_text, size_text, time_text

# Columns of the rows, what they are and in which unit.
_MEASURES = (
    ("clip_seconds", "Length", "s"),
    ("missing_seconds", "Missing: what files that were cut off say they have besides", "s"),
    ("eye_distance", "Face size: outer eye corners in the source", "px"),
    ("yaw", "Yaw, to the right of the picture", "°"),
    ("pitch", "Pitch, downwards", "°"),
    ("loudness", "Loudness: mean of the frames", "dBFS"),
    ("mouth_opening_std", "Mouth movement: deviation of its opening", "eye distances"),
    ("speech_share", "Speech: share of the time", ""),
    ("sharpness", "Sharpness of the face", ""),
    ("av_correlation", "Lips against loudness: correlation at its best lag", ""),
    ("faces", "Faces seen at once", ""),
    ("cuts", "Scene cuts in the video", ""),
)
_BINS = 24


def write_page(folder: Folder | Path | str, out: Path, *, limit: int = 60) -> int:
    """Writes the page of a data set with `limit` clips at most; returns how many they are."""
    folder = Folder.at(folder).absolute()
    dataset, rows = read_dataset(folder), read_rows(folder)
    good = rows[rows["status"] == "ok"].set_index("clip_id")
    keys = choose(good, limit)
    facts: dict[Any, Any] = good[good.index.isin(keys)].to_dict("index")
    with progress("clips", len(keys)) as step:
        clips = []
        for sample in find_samples(folder, dataset["shards"], keys):
            clips.append(clip_card(sample, facts[sample.key]))
            step()
    splits = ", ".join(f"{name} {n}" for name, n in good["split"].value_counts().items())
    page = (
        environment("pipeline")
        .get_template("contact_sheet.html.j2")
        .render(
            folder=str(folder),
            name=folder.url.rpartition("/")[2],
            tiles=_tiles(dataset, good),
            chips=[("splits", splits or "none"), *flat_options(dataset["options"]).items()],
            reasons=drop_reasons(rows),
            distributions=[_distribution(*measured) for measured in _measured(good)],
            clips=clips,
            total=len(good),
        )
    )
    write_text(out, page)
    return len(clips)


def choose(good: pd.DataFrame, limit: int) -> set[str]:
    """At most `limit` keys: the clips at the ends of each distribution, and others evenly."""
    ends = [key for column, *_ in _measured(good) for key in _ends(column)]
    chosen = dict.fromkeys(ends[:limit])
    others = [key for key in good.index if key not in chosen]
    return {*chosen, *evenly(others, limit - len(chosen))}


def _measured(good: pd.DataFrame) -> Iterator[tuple[pd.Series[float], str, str]]:
    """(values, title, unit) of each measure that was taken; what is missing, where something is."""
    for name, title, unit in _MEASURES:
        values = good[name].dropna()
        if len(values) and (name != "missing_seconds" or values.any()):
            yield values, title, unit


def _ends(values: pd.Series[float]) -> tuple[str, str]:
    """The clips with the least and the greatest value."""
    return str(values.idxmin()), str(values.idxmax())


def find_samples(
    folder: Folder, shards: Iterable[dict[str, Any]], keys: set[str]
) -> Iterator[Sample]:
    """Yields the samples of `keys`, reading no shard further than it must."""
    missing = set(keys)
    for shard in shards:
        if not missing:
            return
        try:
            for key, members in read_shard(folder / shard["name"]):
                if key in missing:
                    missing.remove(key)
                    yield from_members(key, members)
        except (OSError, TarError, ValueError) as error:
            raise UserError(
                f"{folder / shard['name']} is damaged ({error}); see: dh-prep check {folder}"
            ) from error


def _tiles(dataset: dict[str, Any], good: pd.DataFrame) -> list[tuple[str, str]]:
    """(label, value) of the numbers at the top."""
    counts, shards = dataset["counts"], dataset["shards"]
    return [
        ("clips", f"{counts['samples']:,}"),
        ("length", time_text(counts["frames"] / FPS)),
        ("frames", f"{counts['frames']:,}"),
        ("speakers", str(len(set(good["speaker"]) - {""}))),
        ("skipped", f"{counts['skipped']:,}"),
        ("failed", f"{counts['failed']:,}"),
        ("shards", f"{len(shards):,}"),
        ("size", size_text(sum(shard["bytes"] for shard in shards))),
    ]


def _distribution(values: pd.Series[float], title: str, unit: str) -> dict[str, Any]:
    """A histogram, and the clips at its ends: where something is wrong, it is most often there."""
    ends = zip(("least", "most"), _ends(values), strict=True)
    return {
        "title": title,
        "median": number_text(float(values.median())) + ("" if unit == "°" else " ") + unit,
        "plot": inline_svg(histogram(values.to_numpy()), f"histogram: {title}"),
        "ends": [(end, key, float(values[key])) for end, key in ends],
    }


def histogram(values: NDArray[np.floating]) -> Figure:
    """A histogram of one finite value or more, with its range below and the median marked."""
    figure, axes = bare_figure(320, 110)
    axes.set_position((0, 18 / 110, 1, 92 / 110))
    # All values alike: numpy would make bins so narrow that rounding decides.
    low, high = float(values.min()), float(values.max())
    bins, bounds = (_BINS, (low, high)) if high > low else (_BINS + 1, (low - 1, high + 1))
    axes.hist(values, bins, range=bounds, rwidth=0.88, color=COLOURS["accent"], alpha=0.8)
    axes.set_xlim(bounds)
    axes.axhline(0, color=COLOURS["line"], linewidth=1)
    axes.axvline(np.median(values), color=COLOURS["text"], linewidth=1, linestyle=(0, (3, 3)))
    labels = [(0.0, "left", low), (1.0, "right", high)] if high > low else [(0.5, "center", low)]
    for x, side, value in labels:
        axes.text(
            x, -0.04, number_text(value), ha=side, va="top", color=COLOURS["soft"], fontsize=11,
            transform=axes.transAxes,
        )  # fmt: skip
    return figure
