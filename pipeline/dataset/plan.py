"""What a run will do: which clips share a shard, fixed before the first is opened."""

import hashlib
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from pipeline.dataset.prep_options import PrepOptions, flat_options
from pipeline.dataset.sample import SCHEMA_VERSION
from pipeline.dataset.shards import shard_name
from pipeline.errors import UserError
from pipeline.sources.manifest import SHOT_SUFFIX, ManifestRow
from pipeline.storage import Folder

PLAN_FILE = "plan.json"
_OF_THE_CLIPS = ("schema_version", "clips", "shards", "clips_sha256")
SOUND = "sound"  # the key of what `pipeline.dataset.align_sound` decided


@dataclass(frozen=True, slots=True)
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
    ordered = sorted(rows, key=lambda row: (row.split, row.clip_id))
    for split, part in groupby(ordered, lambda row: row.split):
        while chunk := tuple(islice(part, clips_per_shard)):
            shards.append(Shard(len(shards), split, chunk))
    return shards


def claim(
    out: Folder | Path,
    shards: list[Shard],
    options: PrepOptions,
    *,
    source: str = "",
    licence: str = "",
    dry: bool = False,
) -> None:
    """Claims a folder for a run.

    `source` is the INPUT that was named, `licence` that of the clips: what people should know of a
    data set that none of its files states. `dry` only looks whether the folder can be used.
    """
    about = {"source": source, "licence": licence}
    claim_with(Folder.at(out), _as_json(shards, options) | about, dry=dry)


def claim_with(out: Folder, plan: dict[str, Any], *, dry: bool = False) -> None:
    """Writes a plan into an empty folder, or makes sure that the folder was begun with it.

    Source and licence may change; where the plan names none those of an earlier run stay.
    """
    try:
        begun: dict[str, Any] = out.read_json(PLAN_FILE)
    except NotADirectoryError as error:
        raise UserError(f"{out} is a file; name a folder with --out") from error
    except FileNotFoundError:
        if any(not name.startswith(".") for name in out.names()):
            raise UserError(
                f"{out} holds other files; name a new or empty folder with --out"
            ) from None
        if not dry:
            out.write_json(PLAN_FILE, plan)
        return
    except ValueError as error:
        raise UserError(f"{out / PLAN_FILE} is damaged ({error}); use another --out") from error
    if not isinstance(begun, dict) or "options" not in begun:
        raise UserError(f"{out / PLAN_FILE} is not of dh-prep run; use another --out")
    before, now = (
        flat_options({"face": "largest"} | options)
        for options in (begun["options"], plan["options"])
    )
    changed = [
        f"{name} {before.get(name)} is now {now.get(name)}"
        for name in dict.fromkeys([*now, *before])
        if before.get(name) != now.get(name)
    ]
    if changed:
        raise UserError(
            f"{out} was begun with other options ({'; '.join(changed)}); use another --out"
        )
    if any(begun.get(name) != plan[name] for name in _OF_THE_CLIPS):
        raise UserError(f"{out} was begun with other clips; use another --out")
    known = begun | {name: plan[name] for name in ("source", "licence") if plan.get(name)}
    if known != begun and not dry:
        out.write_json(PLAN_FILE, known)


def refuse_shot_keys(shards: list[Shard]) -> None:
    """Makes sure that no clip has a key that a shot of another could get."""
    for row in (row for shard in shards for row in shard.rows):
        if SHOT_SUFFIX.search(row.clip_id):
            raise UserError(
                f"clip_id {row.clip_id!r} looks like a shot of another clip, which --cuts split "
                "would name so; give it another"
            )


def _as_json(shards: list[Shard], options: PrepOptions) -> dict[str, Any]:
    """Options, and the clips as a digest: a million rows need not be written twice."""
    digest = hashlib.sha256()
    for shard in shards:
        for row in shard.rows:
            cells = [row.clip_id, row.source, row.speaker, row.split, row.start, row.end]
            cells += [row.collection] if row.collection else []
            digest.update("\x1f".join(map(str, cells)).encode() + b"\n")
    return {
        "schema_version": SCHEMA_VERSION,
        "options": options.as_json(),
        "clips": sum(len(shard.rows) for shard in shards),
        "shards": len(shards),
        "clips_sha256": digest.hexdigest(),
    }
