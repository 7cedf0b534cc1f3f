"""The driving clip of systems that take their head pose from a video: PC-AVS, EAMM."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from pipeline.dataset.sample import from_members
from pipeline.dataset.shards import read_shard, shard_paths
from pipeline.errors import UserError
from pipeline.storage import open_file

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.dataset.sample import Sample

_SALT = 77  # apart from other draws of the same seed


class DrivingClips:
    """The clips of a split that may drive others; which one is drawn by seed and place."""

    def __init__(self, data: Path, split: str) -> None:
        parts = []
        for shard in shard_paths(data, split):
            with open_file(f"{shard.removesuffix('.tar')}.parquet") as file:
                rows = pd.read_parquet(
                    io.BytesIO(file.read()), columns=["clip_id", "speaker", "status"]
                )
            parts.append(rows[rows["status"] == "ok"].assign(shard=shard))
        self._rows = pd.concat(parts, ignore_index=True)

    def another(self, key: str, place: int, seed: int) -> str:
        """A clip of another speaker where there is one, else another clip.

        Args:
            key: of the clip to be driven.
            place: of it in the split.
            seed: of the draw.

        Raises:
            UserError: there is no other clip.
        """
        own = self._rows[self._rows["clip_id"] == key]["speaker"]
        speaker = own.iloc[0] if len(own) else ""
        others = self._rows[self._rows["clip_id"] != key]
        strangers = others[others["speaker"] != speaker]
        chosen = strangers if speaker and len(strangers) else others
        if not len(chosen):
            raise UserError(f"{key} is the only clip of its split, and needs another to drive it")
        generator = np.random.default_rng([_SALT, seed, place])
        return str(chosen["clip_id"].iloc[int(generator.integers(len(chosen)))])

    def read(self, key: str) -> Sample:
        """The sample of a clip."""
        shard = self._rows[self._rows["clip_id"] == key]["shard"].iloc[0]
        members = next(members for found, members in read_shard(shard) if found == key)
        return from_members(key, members)
