"""A smaller data set out of a finished one: samples are copied or left, none is made again."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipeline.dataset.finalize import finish, write_shard
from pipeline.dataset.limits import Limits
from pipeline.dataset.plan import PLAN_FILE, claim_with
from pipeline.dataset.rows import parse_rows
from pipeline.dataset.sample import Sample, from_members, to_members
from pipeline.dataset.shards import read_dataset, read_shard
from pipeline.lock import exclusive
from pipeline.progress import progress
from pipeline.storage import Folder


def filter_dataset(
    source: Folder | Path | str, out: Folder | Path | str, limits: Limits
) -> dict[str, Any]:
    """Copies the samples that keep `limits`, and those of `source`, into a new data set.

    A clip left out is a row with its reason, as if the limits had been there from the beginning;
    interrupted, the same call carries on. Returns the new dataset.json.
    """
    source, out = Folder.at(source), Folder.at(out)
    dataset = read_dataset(source)
    limits = Limits.from_json(dataset["options"]["limits"]).and_also(limits)
    options = dataset["options"] | {"limits": limits.as_json()}
    about = {name: dataset[name] for name in ("source", "licence")}
    claim_with(out, source.read_json(PLAN_FILE) | about | {"options": options})

    names = [entry["name"].removesuffix(".tar") for entry in dataset["shards"]]
    with exclusive(out.local, "dh-prep"), progress("shards", len(names)) as step:
        done = set(out.names("shard-*.json"))
        for name, entry in zip(names, dataset["shards"], strict=True):
            if f"{name}.json" not in done:
                copy_shard(source, out, entry, options)
            step()
    return finish(out, names, options)


def copy_shard(
    source: Folder,
    out: Folder,
    entry: dict[str, Any],
    options: dict[str, Any],
    change: Callable[[Sample, dict[str, Any]], Sample] | None = None,
) -> None:
    """Writes one shard anew: its samples that keep the limits, and the rows of all.

    `out` may be `source`; `entry` is its mark, or its entry in dataset.json; `change` gives what
    becomes of a sample, and may change its row too.
    """
    name = entry["name"].removesuffix(".tar")
    limits = Limits.from_json(options["limits"])
    table = parse_rows(source.read_bytes(f"{name}.parquet"))
    with write_shard(out, name, entry["split"], entry["inputs"], options["speech"]) as (add, rows):
        rows += [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]
        by_key = {row["clip_id"]: row for row in rows}
        for key, members in read_shard(source / f"{name}.tar"):
            row, sample = by_key[key], from_members(key, members)
            changed = change(sample, row) if change else sample
            # A sample that breaks a limit becomes a skipped clip.
            broken = limits.broken(row) if row["frames"] else "no frame is left"
            if broken:
                row |= {"status": "skipped", "stage": "filter", "reason": broken}
            else:
                add(key, members if changed is sample else to_members(changed), changed.speech)
