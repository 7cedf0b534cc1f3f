"""The driving clip of systems that take their head pose from a video: PC-AVS, EAMM."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from pipeline.dataset.sample import Sample, from_members
from pipeline.dataset.shards import read_shard, shard_paths
from pipeline.errors import UserError
from pipeline.storage import open_file

_SALT = 77  # apart from other draws of the same seed


def choose_driving_clip(data: Path, split: str, key: str, place: int, seed: int) -> tuple[str, str]:
    """A clip of another speaker if the split has one, else another clip, drawn at random.

    `key` is the clip to be driven, `place` its place in the split. Returns key and shard.
    """
    parts = []
    for shard in shard_paths(data, split):
        with open_file(f"{shard.removesuffix('.tar')}.parquet") as file:
            content = io.BytesIO(file.read())
        part = pd.read_parquet(content, columns=["clip_id", "speaker", "status"])
        parts.append(part[part["status"] == "ok"].assign(shard=shard))
    rows = pd.concat(parts, ignore_index=True).set_index("clip_id")
    speaker = rows["speaker"].get(key, "")
    others = rows.drop(key, errors="ignore")
    strangers = others[others["speaker"] != speaker]
    chosen = strangers if speaker and len(strangers) else others
    if not len(chosen):
        raise UserError(f"{key} is the only clip of its split, and needs another to drive it")
    drawn = int(np.random.default_rng([_SALT, seed, place]).integers(len(chosen)))
    return str(chosen.index[drawn]), str(chosen["shard"].iloc[drawn])


def read_driving_clip(data: Path, split: str, key: str, place: int, seed: int) -> Sample:
    """The sample of the clip that `choose_driving_clip` chooses."""
    chosen, shard = choose_driving_clip(data, split, key, place, seed)
    members = next(members for found, members in read_shard(shard) if found == chosen)
    return from_members(chosen, members)
