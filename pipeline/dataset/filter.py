"""A smaller data set out of a finished one: samples are copied or left, none is made again."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from pipeline.dataset.finalize import SpeechStatistics, conclude, shard_mark
from pipeline.dataset.limits import Limits
from pipeline.dataset.plan import PLAN_FILE, About
from pipeline.dataset.rows import MEASURED, parse_rows, rows_bytes
from pipeline.dataset.sample import from_members
from pipeline.dataset.shards import open_shard, read_dataset, read_shard
from pipeline.errors import UserError
from pipeline.lock import alone
from pipeline.progress import progress
from pipeline.storage import Folder

if TYPE_CHECKING:
    from pathlib import Path


def filter_dataset(
    source: Folder | Path | str, out: Folder | Path | str, limits: Limits
) -> dict[str, Any]:
    """Copies the samples that keep `limits` into a new data set, shard by shard.

    A clip left out is a row with its reason, as if the limits had been there from the beginning;
    interrupted, the same call carries on.

    Returns:
        dataset.json of the new data set.

    Raises:
        UserError: no finished data set, or `out` holds something else or is written by another.
    """
    source, out = Folder.at(source), Folder.at(out)
    dataset = read_dataset(source)
    merged = tighter(Limits(**dataset["options"]["limits"]), limits)
    options = dataset["options"] | {"limits": merged.as_json()}
    plan = source.read_json(PLAN_FILE) | {"options": options}
    if out.exists(PLAN_FILE):
        if out.read_json(PLAN_FILE) != plan:
            raise UserError(f"{out} was begun with other limits or clips; use another --out")
    elif any(not name.startswith(".") for name in out.names()):
        raise UserError(f"{out} holds other files; name a new or empty folder with --out")
    else:
        out.write_json(PLAN_FILE, plan)
    names = [shard["name"].removesuffix(".tar") for shard in dataset["shards"]]
    with alone(out.local, "dh-prep"), progress("shards", len(names)) as step:
        done = set(out.names("shard-*.json"))
        for name, entry in zip(names, dataset["shards"], strict=True):
            if f"{name}.json" not in done:
                _copy(source, out, name, entry, merged, dataset["speech"]["coefficients"])
            step()
    about = About(dataset["source"], dataset["licence"])
    return conclude(out, names, options, about)


def tighter(a: Limits, b: Limits) -> Limits:
    """The limits that keep both."""
    merged: dict[str, Any] = {}
    for field in fields(Limits):
        values = [v for v in (getattr(a, field.name), getattr(b, field.name)) if v is not None]
        choose = max if field.name.startswith("min") else min
        merged[field.name] = choose(values) if values else None
    return Limits(**merged)


def _copy(
    source: Folder,
    out: Folder,
    name: str,
    entry: dict[str, Any],
    limits: Limits,
    coefficients: int,
) -> None:
    """One shard: its samples that keep the limits, and the rows of all."""
    table = parse_rows(source.read_bytes(f"{name}.parquet"))
    rows = [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
    for row in rows:
        if row["status"] == "ok":
            broken = limits.broken({column: row[column] for column in MEASURED})
            if broken:
                row |= {"status": "skipped", "stage": "filter", "reason": broken}
    kept = {row["clip_id"] for row in rows if row["status"] == "ok"}
    speech = SpeechStatistics(coefficients)
    with out.write(f"{name}.tar") as tar:
        with open_shard(tar) as add:
            for key, members in read_shard(source / f"{name}.tar"):
                if key in kept:
                    add(key, members)
                    speech.add(from_members(key, members).speech)
        mark = shard_mark(name, entry["split"], entry["inputs"], rows, tar, speech)
    with out.write(f"{name}.parquet") as path:
        path.write_bytes(rows_bytes(rows))
    out.write_json(f"{name}.json", mark)
