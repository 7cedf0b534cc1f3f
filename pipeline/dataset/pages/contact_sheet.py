"""One self-contained HTML page on which a curator looks a data set over."""

from __future__ import annotations

from html import escape
from tarfile import TarError
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from pipeline.dataset.pages.clip_card import clip_card
from pipeline.dataset.pages.html_page import html_page
from pipeline.dataset.pages.svg import histogram
from pipeline.dataset.prep_options import flat_options
from pipeline.dataset.rows import drop_reasons, read_rows
from pipeline.dataset.sample import Sample, from_members
from pipeline.dataset.shards import read_dataset, read_shard
from pipeline.errors import UserError
from pipeline.files import write_text
from pipeline.media import FPS
from pipeline.progress import progress
from pipeline.storage import Folder
from pipeline.units import number_text, size_text, time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import pandas as pd

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


def write_page(folder: Folder | Path | str, out: Path, *, limit: int = 60) -> int:
    """Writes the page of a data set.

    Args:
        folder: the data set.
        out: the HTML file.
        limit: the most clips that are shown, see `choose`.

    Returns:
        The number of clips shown.

    Raises:
        UserError: the folder is no finished data set.
    """
    folder = Folder.at(folder).absolute()
    dataset, rows = read_dataset(folder), read_rows(folder)
    good = rows[rows["status"] == "ok"].set_index("clip_id")
    keys = choose(good, limit)
    facts = cast("dict[str, dict[str, Any]]", good[good.index.isin(keys)].to_dict("index"))
    with progress("clips", len(keys)) as step:
        cards = []
        for sample in find_samples(folder, dataset["shards"], keys):
            cards.append(clip_card(sample, facts[sample.key]))
            step()
    parts = [
        _header(folder, dataset, good),
        _left_out(rows),
        _distributions(good),
        _clips(cards, len(good)),
    ]
    write_text(out, html_page(_name(folder), "".join(parts)))
    return len(cards)


def _name(folder: Folder) -> str:
    return folder.url.rpartition("/")[2]


def choose(good: pd.DataFrame, limit: int) -> set[str]:
    """At most `limit` keys: the clips at the ends of each distribution, and others evenly."""
    ends = [key for column, *_ in _measured(good) for key in _ends(column)]
    chosen = dict.fromkeys(ends[:limit])
    others = [key for key in good.index if key not in chosen]
    room = min(limit - len(chosen), len(others))
    evenly = np.linspace(0, len(others) - 1, room).round().astype(int)
    return {*chosen, *(others[index] for index in evenly)}


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
    wanted = set(keys)
    for shard in shards:
        if not wanted:
            return
        try:
            for key, members in read_shard(folder / shard["name"]):
                if key in wanted:
                    wanted.remove(key)
                    yield from_members(key, members)
        except (OSError, TarError, ValueError) as error:
            raise UserError(
                f"{folder / shard['name']} is damaged ({error}); see: dh-prep check {folder}"
            ) from error


def _header(folder: Folder, dataset: dict[str, Any], good: pd.DataFrame) -> str:
    counts, options = dataset["counts"], dataset["options"]
    tiles = {
        "clips": f"{counts['samples']:,}",
        "length": time_text(counts["frames"] / FPS),
        "frames": f"{counts['frames']:,}",
        "speakers": str(len(set(good["speaker"]) - {""})),
        "skipped": f"{counts['skipped']:,}",
        "failed": f"{counts['failed']:,}",
        "shards": f"{len(dataset['shards']):,}",
        "size": size_text(sum(shard["bytes"] for shard in dataset["shards"])),
    }
    shown = "".join(
        f"<div><b>{value}</b><span>{name}</span></div>" for name, value in tiles.items()
    )
    splits = ", ".join(f"{name} {n}" for name, n in good["split"].value_counts().items())
    chips = "".join(
        f"<li>{escape(name.replace('_', ' '))} <b>{escape(str(value))}</b></li>"
        for name, value in flat_options(options).items()
    )
    return (
        f"<header><p>{escape(str(folder))}</p><h1>{escape(_name(folder))}</h1>"
        f'<div class="tiles">{shown}</div>'
        f'<ul class="chips"><li>splits <b>{escape(splits) or "none"}</b></li>{chips}</ul></header>'
    )


def _left_out(rows: pd.DataFrame) -> str:
    reasons = drop_reasons(rows)
    if not reasons:
        return "<h2>Left out</h2><p>Nothing: every clip is in the data set.</p>"
    body = "".join(
        f'<tr><td><span class="{escape(status)}">{escape(status)}</span></td>'
        f"<td>{escape(reason)}</td><td>{count}</td><td><code>{escape(example)}</code></td></tr>"
        for status, reason, count, example in reasons
    )
    return (
        '<h2>Left out</h2><div class="scroll"><table><thead><tr><th></th><th>Reason</th>'
        f"<th>Clips</th><th>For example</th></tr></thead><tbody>{body}</tbody></table></div>"
    )


def _distributions(good: pd.DataFrame) -> str:
    figures = [_distribution(*measured) for measured in _measured(good)]
    return f'<h2>Distributions</h2><div class="grid">{"".join(figures)}</div>'


def _distribution(values: pd.Series[float], title: str, unit: str) -> str:
    """A histogram, and the clips at its ends: where something is wrong, it is most often there."""
    extremes = "".join(
        f"<div>{name} <b>{number_text(float(values[key]))}</b> "
        f'<a href="#{escape(key)}"><code>{escape(key)}</code></a></div>'
        for name, key in zip(("least", "most"), _ends(values), strict=True)
    )
    median = number_text(float(values.median())) + ("" if unit == "°" else " ") + unit
    return (
        f"<figure><figcaption><b>{escape(title)}</b><span>median {escape(median)}</span>"
        f'</figcaption>{histogram(values.to_numpy())}<div class="ends">{extremes}</div></figure>'
    )


def _clips(cards: list[str], total: int) -> str:
    how = "" if len(cards) == total else ": those at the ends above, the others chosen evenly"
    return (
        f"<h2>Clips</h2><p>{len(cards)} of {total}{how}. Beside the first frame what the "
        "source was; below it six frames with the box that the lip loss looks at; then "
        '<span class="key-line">mouth opening</span> over <span class="key-area">loudness</span> '
        "(−60 to 0 dBFS), which should rise and fall together.</p>"
        f'<div class="grid">{"".join(cards)}</div>'
    )
