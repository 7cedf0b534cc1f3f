"""The data card: a README.md in the data set that says what it is to whoever gets it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pipeline.dataset.columns import MEASURED
from pipeline.dataset.prep_options import flat_options
from pipeline.dataset.rows import cut_off, drop_reasons
from pipeline.files import visible
from pipeline.media import FPS
from pipeline.storage import Folder
from pipeline.units import size_text, time_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pandas as pd

SUMS_FILE = "SHA256SUMS"
_SHOWN = ("clip_seconds", "eye_distance", "yaw", "pitch", "sharpness", "loudness", "speech_share",
          "mouth_opening_std", "av_correlation")  # fmt: skip


def write_card(out: Folder | Path | str, dataset: dict[str, Any], rows: pd.DataFrame) -> None:
    """Writes README.md and SHA256SUMS into a finished data set."""
    out = Folder.at(out)
    sums = "".join(f"{shard['sha256']}  {shard['name']}\n" for shard in dataset["shards"])
    with out.write(SUMS_FILE) as path:
        path.write_text(sums, encoding="utf-8")
    with out.write(CARD_FILE) as path:
        path.write_text(card(dataset, rows), encoding="utf-8")


def card(dataset: dict[str, Any], rows: pd.DataFrame) -> str:
    """The data card in Markdown.

    Args:
        dataset: dataset.json.
        rows: of every clip.
    """
    counts, options = dataset["counts"], dataset["options"]
    good = rows[rows["status"] == "ok"]
    size = size_text(sum(shard["bytes"] for shard in dataset["shards"]))
    side = options["image_size"]
    source = f"`{dataset['source']}`" if dataset["source"] else "not given"
    text = f"""# Data card

Talking heads prepared by `dh-prep`: {counts["samples"]:,} samples,
{time_text(counts["frames"] / FPS)} at {FPS} frames a second, {side} × {side} pixels, sound at
16 kHz; {len(dataset["shards"]):,} WebDataset shards, {size}.

- **Source:** {source}
- **Licence:** {dataset["licence"] or "not given; say it with `--licence`"}
- **Speakers:** {_speakers(dataset)}

Faces and voices are personal data: keep and use them as the licence, your law and the people shown
allow.

## Splits

{_splits(good)}

## Left out

Of {counts["inputs"]:,} videos: {counts["skipped"]:,} skipped by rule, {counts["failed"]:,} failed;
every one stands in `report.csv`.

{_table(("", "reason", "clips"), [row[:3] for row in drop_reasons(rows)])}

## What was measured

Of the samples. All of it, for each clip, lies in the `.parquet` beside its shard; `dh-prep filter`
makes a smaller data set by it.

{_table(("measure", "5 %", "median", "95 %", "what"), _measures(good))}

{_cut_off(good)}

## Options

{_table(("option", "value"), sorted(flat_options(options).items()))}

## Files

`sha256sum -c {SUMS_FILE}` checks the shards, `dh-prep check` the whole contract.
"""
    return re.sub(r"\n{3,}", "\n\n", text)


def _speakers(dataset: dict[str, Any]) -> str:
    speakers = dict(dataset["speakers"])
    shared = speakers.pop("in_several_splits")
    known = ", ".join(f"{split} {count:,}" for split, count in speakers.items()) or "none known"
    if not any(speakers.values()):
        return "not known"
    if shared:
        return f"{known}; {len(shared):,} are in more than one split"
    return f"{known}; none is in more than one split"


def _splits(good: pd.DataFrame) -> str:
    lines = [
        (split, f"{len(part):,}", time_text(float(part["clip_seconds"].sum())))
        for split, part in good.groupby("split")
    ]
    return _table(("split", "samples", "length"), lines)


def _measures(good: pd.DataFrame) -> Iterable[tuple[str, ...]]:
    for name in _SHOWN:
        values = good[name].dropna()
        if len(values):
            low, middle, high = values.quantile([0.05, 0.5, 0.95])
            yield name, f"{low:.3g}", f"{middle:.3g}", f"{high:.3g}", MEASURED[name]


def _cut_off(good: pd.DataFrame) -> str:
    short = cut_off(good)
    if short.empty:
        return ""
    return (
        f"Samples of files that were cut off: {len(short):,}, which say they are up to "
        f"{short['missing_seconds'].max():.1f} s longer (`missing_seconds`)."
    )


def _table(header: Sequence[str], lines: Iterable[Sequence[object]]) -> str:
    """A Markdown table; nothing when it would be empty."""
    body = ["| " + " | ".join(_cell(value) for value in line) + " |" for line in lines]
    if not body:
        return ""
    return "\n".join([f"| {' | '.join(header)} |", "| --- " * len(header) + "|", *body])


def _cell(value: object) -> str:
    return visible(str(value)).replace("|", "\\|")


CARD_FILE = "README.md"
