"""A constant lag of sound against picture, found over many clips and taken out of done shards.

One clip is too noisy for a lag; a set of clips is not. So the shards are written first, the lags
are found in them and put into plan.json, and then each shard is written once more. The sound and
its features move by whole frames, and frames at the ends that lose their partner go. Interrupted,
the same steps carry on: a lag is decided once, and the column `sound_lag` says what was moved.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pipeline.dataset.filter import copy_shard
from pipeline.dataset.plan import PLAN_FILE, SOUND
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.rows import parse_rows
from pipeline.dataset.sample import Meta, PackedFrames, Sample, from_members
from pipeline.dataset.shards import read_shard
from pipeline.faces.mouth_box import mouth_opening
from pipeline.files import short_digest
from pipeline.lock import exclusive
from pipeline.media import FPS, SAMPLES_PER_FRAME
from pipeline.progress import progress
from pipeline.speech.lip_sync import CLIP_MAX_LAG, MAX_LAG, lag_and_correlation, log_energy
from pipeline.speech.shifts import FEWEST_CLIPS, lip_lag_of_set
from pipeline.storage import Folder

_SHORTEST = MAX_LAG + 5  # frames of a clip whose curve counts
# Clips that a lag is found in; more would not make it surer and would have to fit into memory.
_OF_A_COLLECTION, _OF_A_SPEAKER = 400, 100
_Lips = tuple[NDArray[np.float32], NDArray[np.float32]]  # opening and log energy, (T,) each


def align_sound(out: Folder, names: list[str], options: PrepOptions) -> None:
    """Finds the lags of a data set whose shards are written, and moves the sound of its samples."""
    with exclusive(out.local, "dh-prep"):
        plan = out.read_json(PLAN_FILE)
        if SOUND not in plan:
            plan[SOUND] = find_lags(out, names, by_speaker=options.align_sound == "speaker")
            out.write_json(PLAN_FILE, plan)
        lags = {(g["collection"], g["speaker"]): g["lag"] for g in plan[SOUND] if g["sure"]}

        def move(sample: Sample, row: dict[str, Any]) -> Sample:
            if not np.isnan(row["sound_lag"]):
                return sample  # moved before; the shard was opened again for clips that had failed
            collection, speaker = row["collection"], row["speaker"]
            lag = lags.get((collection, speaker), lags.get((collection, ""), 0))
            row["sound_lag"] = float(lag)
            return _moved(sample, lag, row) if lag else sample

        with progress("shards aligned", len(names)) as step:
            for name, rows in _tables(out, names, ["status", "sound_lag"]):
                if (rows["sound_lag"].isna() & (rows["status"] == "ok")).any():
                    copy_shard(out, out, out.read_json(f"{name}.json"), options.as_json(), move)
                step()


def find_lags(out: Folder, names: list[str], *, by_speaker: bool) -> list[dict[str, Any]]:
    """The lag of each collection, and if asked of each speaker with five clips or more.

    For each group `collection`, `speaker` (empty for all), `clips` that were looked at, `lag` in
    frames (positive where the sound is late), `peak` and `chance` of the mean correlation, and
    `sure`, whether it is to be taken out.
    """
    # Which clips are looked at: some of each group, chosen by a hash of their names.
    columns = ["clip_id", "collection", "speaker", "status", "frames"]
    rows = pd.concat([rows.assign(shard=name) for name, rows in _tables(out, names, columns)])
    rows = rows[(rows["status"] == "ok") & (rows["frames"] >= _SHORTEST)]
    rows = rows.assign(order=rows["clip_id"].map(short_digest)).sort_values(["order", "clip_id"])
    groups = {
        (str(collection), ""): part.head(_OF_A_COLLECTION)
        for collection, part in rows.groupby("collection")
    }
    if by_speaker:
        named = rows[rows["speaker"] != ""]
        groups |= {
            (str(collection), str(speaker)): part.head(_OF_A_SPEAKER)
            for (collection, speaker), part in named.groupby(["collection", "speaker"])
            if len(part) >= FEWEST_CLIPS
        }

    # Their curves, then the lag of each group.
    lips: dict[str, _Lips] = {}
    chosen = pd.concat(groups.values()) if groups else rows
    shards = chosen.groupby("shard")["clip_id"].agg(set)
    with progress("shards measured", len(shards)) as step:
        for name, keys in shards.items():
            for key, members in read_shard(out / f"{name}.tar"):
                if key in keys:
                    lips[key] = _lips(from_members(key, members))
            step()
    found = []
    for (collection, speaker), part in sorted(groups.items()):
        lag = lip_lag_of_set([lips[key] for key in part["clip_id"]])
        found.append({
            "collection": collection,
            "speaker": speaker,
            "clips": len(part),
            "lag": int(lag.lag),
            "peak": round(lag.peak, 4),
            "chance": round(lag.chance, 4),
            "sure": lag.is_sure,
        })  # fmt: skip
    return found


def _tables(
    out: Folder, names: list[str], columns: list[str]
) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each shard."""
    files = out.read_many([f"{name}.parquet" for name in names])
    for name, data in zip(names, files.values(), strict=True):
        yield name, parse_rows(data, columns)


def _lips(sample: Sample) -> _Lips:
    opening = mouth_opening(sample.landmarks).astype(np.float32)
    return opening, log_energy(sample.audio, len(opening))


def _moved(sample: Sample, lag: int, row: dict[str, Any]) -> Sample:
    """The sample with the sound `lag` frames earlier, as long as both overlap, and its row."""
    length = max(0, len(sample.frames) - abs(lag))
    first = max(0, -lag)
    pictures, sounds = slice(first, first + length), slice(first + lag, first + lag + length)
    offsets = sample.frames.offsets[first : first + length + 1]
    begin = sample.meta["kept_seconds"][0]
    meta: Meta = {
        **sample.meta,
        "frames": length,
        "kept_seconds": [round(begin + k / FPS, 6) for k in (first, first + length)],
        "transforms": sample.meta["transforms"][pictures],
        "sound_lag": lag,
    }
    moved = replace(
        sample,
        frames=PackedFrames(sample.frames.packed[offsets[0] : offsets[-1]], offsets - offsets[0]),
        audio=sample.audio[sounds.start * SAMPLES_PER_FRAME : sounds.stop * SAMPLES_PER_FRAME],
        speech=sample.speech[sounds],
        landmarks=sample.landmarks[pictures],
        mouth=sample.mouth[pictures],
        meta=meta,
    )
    row |= {"frames": float(length), "clip_seconds": length / FPS}
    row["av_lag"], row["av_correlation"] = lag_and_correlation(*_lips(moved), CLIP_MAX_LAG)
    return moved
