"""What a run will do: which clips share a shard, fixed before the first is opened."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipeline.errors import UserError
from pipeline.files import read_json, write_json
from pipeline.sample import SCHEMA_VERSION
from pipeline.shards import shard_name

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.manifest import ManifestRow
    from pipeline.options import PrepOptions

PLAN_FILE = "plan.json"


@dataclass(frozen=True)
class Shard:
    """The clips of one shard, all of one split."""

    index: int
    split: str
    rows: tuple[ManifestRow, ...]

    @property
    def name(self) -> str:
        """The stem of its files."""
        return shard_name(self.index)


def plan_shards(rows: list[ManifestRow], clips_per_shard: int) -> list[Shard]:
    """Groups clips into shards by split and key, so that the plan does not depend on scan order."""
    shards: list[Shard] = []
    for split in sorted({row.split for row in rows}):
        part = sorted((row for row in rows if row.split == split), key=lambda row: row.clip_id)
        shards += [
            Shard(len(shards) + offset, split, tuple(part[begin : begin + clips_per_shard]))
            for offset, begin in enumerate(range(0, len(part), clips_per_shard))
        ]
    return shards


def claim(out: Path, shards: list[Shard], options: PrepOptions) -> None:
    """Writes the plan into an empty folder, or makes sure that the folder was begun with it.

    Raises:
        UserError: the folder holds other files, other options, or was begun with other clips.
    """
    plan = _as_json(shards, options)
    path = out / PLAN_FILE
    if not path.exists():
        if out.exists() and not out.is_dir():
            raise UserError(f"{out} is a file; name a folder with --out")
        if out.is_dir() and any(entry for entry in out.iterdir() if not entry.name.startswith(".")):
            raise UserError(f"{out} holds other files; name a new or empty folder with --out")
        write_json(path, plan)
        return
    begun: dict[str, Any] = read_json(path)
    changed = [
        f"{name} {begun['options'].get(name)} is now {value}"
        for name, value in plan["options"].items()
        if begun["options"].get(name) != value
    ]
    if changed:
        raise UserError(
            f"{out} was begun with other options ({'; '.join(changed)}); use another --out"
        )
    if begun != plan:
        raise UserError(f"{out} was begun with other clips; use another --out")


def _as_json(shards: list[Shard], options: PrepOptions) -> dict[str, Any]:
    """Options, and the clips as a digest: a million rows need not be written twice."""
    rows = [{**asdict(row), "path": ""} for shard in shards for row in shard.rows]
    digest = hashlib.sha256(json.dumps(rows, ensure_ascii=True).encode()).hexdigest()
    return {
        "schema_version": SCHEMA_VERSION,
        "options": options.as_json(),
        "clips": len(rows),
        "shards": len(shards),
        "clips_sha256": digest,
    }
