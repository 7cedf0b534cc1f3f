"""The data card: a README.md in the data set that says what it is to whoever gets it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from pipeline.dataset.columns import MEASURED
from pipeline.dataset.plan import SOUND
from pipeline.dataset.prep_options import flat_options
from pipeline.dataset.rows import cut_off, drop_reasons
from pipeline.files import visible
from pipeline.media import FPS
from pipeline.storage import Folder
from pipeline.templates import environment
from pipeline.units import size_text, time_text

CARD_FILE, SUMS_FILE = "README.md", "SHA256SUMS"
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
    """The data card in Markdown."""
    good = rows[rows["status"] == "ok"]
    short = cut_off(good)["missing_seconds"]
    return (
        environment("pipeline")
        .get_template("data_card.md.j2")
        .render(
            dataset=dataset,
            fps=FPS,
            length=time_text(dataset["counts"]["frames"] / FPS),
            size=size_text(sum(shard["bytes"] for shard in dataset["shards"])),
            speakers=_speakers(dict(dataset["speakers"])),
            splits=[
                (split, f"{len(part):,}", time_text(float(part["clip_seconds"].sum())))
                for split, part in good.groupby("split")
            ],
            reasons=[row[:3] for row in drop_reasons(rows)],
            measures=[
                (name, *map("{:.3g}".format, values.quantile([0.05, 0.5, 0.95])), MEASURED[name])
                for name in _SHOWN
                if len(values := good[name].dropna())
            ],
            cut_off=len(short),
            longest=short.max(),
            sound=list(_sound(dataset)),
            moved=sorted(good["sound_lag"].dropna().astype(int).value_counts().items()),
            options=sorted(flat_options(dataset["options"]).items()),
            sums_file=SUMS_FILE,
            cell=lambda value: visible(str(value)).replace("|", "\\|"),
        )
    )


def _speakers(speakers: dict[str, Any]) -> str:
    shared = speakers.pop("in_several_splits")
    if not any(speakers.values()):
        return "not known"
    known = ", ".join(f"{split} {count:,}" for split, count in speakers.items())
    return f"{known}; {f'{len(shared):,} are' if shared else 'none is'} in more than one split"


def _sound(dataset: dict[str, Any]) -> Iterable[tuple[object, ...]]:
    """The lag of each collection, where the sound was aligned."""
    for group in dataset.get(SOUND, ()):
        if not group["speaker"]:
            numbers = (group[name] for name in ("clips", "lag", "peak", "chance"))
            yield group["collection"] or "all", *numbers, "yes" if group["sure"] else "no"
