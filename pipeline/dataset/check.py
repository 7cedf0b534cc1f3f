"""The whole contract of a data set, checked file by file and sample by sample."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.dataset.columns import COLUMNS
from pipeline.dataset.finalize import SpeechStatistics, dataset_json, shard_mark
from pipeline.dataset.plan import PLAN_FILE
from pipeline.dataset.prep_options import flat_options
from pipeline.dataset.rows import parse_rows
from pipeline.dataset.sample import SCHEMA_VERSION, from_members, problems
from pipeline.dataset.shards import DATASET_FILE, read_dataset, read_shard
from pipeline.progress import progress
from pipeline.storage import Folder, local_copy

_STATUSES = {"ok", "skipped", "failed"}


@dataclass
class Verdict:
    """What a check read, and every problem it found, a sentence each."""

    shards: int = 0
    clips: int = 0
    samples: int = 0
    frames: int = 0
    problems: list[str] = field(default_factory=list)


def check_dataset(folder: Folder | Path | str) -> Verdict:
    """Reads every file of a data set and collects all that breaks the contract."""
    folder, verdict = Folder.at(folder), Verdict()
    found = verdict.problems
    try:
        dataset = read_dataset(folder)
        options, counts = dataset["options"], dataset["counts"]
        shards = [_ShardCheck(folder, dataset, entry) for entry in dataset["shards"]]
        expected = {
            "schema_version": SCHEMA_VERSION,
            "options": flat_options(options),
            "clips": counts["inputs"],
            "shards": len(shards),
        }
    except (ValueError, KeyError, TypeError) as error:
        found.append(f"{DATASET_FILE} cannot be used: {error!r}")
        return verdict
    seen: Counter[str] = Counter()
    with progress("shards", len(shards)) as step:
        for shard in shards:
            found += [f"{shard.name}: {problem}" for problem in shard.problems()]
            verdict.shards += 1
            verdict.clips += len(shard.rows)
            verdict.samples += shard.samples
            verdict.frames += shard.frames
            seen.update(shard.rows["clip_id"])
            step()
    found += [f"clip_id {key} occurs {n} times" for key, n in seen.items() if n > 1]
    stray = set(folder.names("shard-*.tar")) - {shard.name for shard in shards}
    found += [f"{name} lies there but is not in {DATASET_FILE}" for name in sorted(stray)]

    # plan.json and the marks of the shards make dataset.json.
    try:
        plan = folder.read_json(PLAN_FILE)
    except (OSError, ValueError) as error:
        found.append(f"{PLAN_FILE} cannot be read: {error}")
        return verdict
    planned = plan | {"options": flat_options(plan.get("options", {}))}
    found += [
        f"{PLAN_FILE} has {name} {planned.get(name)}, {DATASET_FILE} {value}"
        for name, value in expected.items()
        if planned.get(name) != value
    ]
    marks = [shard.mark for shard in shards if shard.mark]
    if len(marks) == len(shards):
        found += _differences(DATASET_FILE, dataset, dataset_json(options, plan, marks))
    return verdict


def _differences(where: str, stated: Any, read: Any) -> Iterator[str]:
    """Where a JSON says other than what was read; floats are equal up to rounding."""
    if isinstance(read, dict) and isinstance(stated, dict):
        for name, value in read.items():
            if value or stated.get(name):  # files of older versions leave out what is empty
                yield from _differences(f"{where}: {name}", stated.get(name), value)
    elif isinstance(read, list) and read and isinstance(read[0], dict):
        for one, other in zip_longest(stated or [], read):
            yield from _differences(where, one, other)
    else:
        floats = np.shape(stated) == np.shape(read) and np.asarray(read).dtype == np.float64
        if not (np.allclose(stated, read) if floats else stated == read):
            yield f"{where} is {reprlib.repr(stated)}, not {reprlib.repr(read)}"


class _ShardCheck:
    """One shard: its three files against each other and against the data set."""

    def __init__(self, folder: Folder, dataset: dict[str, Any], entry: dict[str, Any]) -> None:
        self.name, self._split = entry["name"], entry["split"]
        self._stem = self.name.removesuffix(".tar")
        self._folder, self._options = folder, dataset["options"]
        self._dim = dataset["speech"]["dim"]
        self._speech = SpeechStatistics(dataset["speech"]["coefficients"])
        self.rows = pd.DataFrame(columns=COLUMNS)
        self.mark: dict[str, Any] = {}
        self.samples = self.frames = 0

    def problems(self) -> Iterator[str]:
        """Every problem; afterwards `rows`, `mark`, `samples` and `frames` hold what was read."""
        yield from self._row_problems()
        try:
            self.mark = self._folder.read_json(f"{self._stem}.json")
        except (OSError, ValueError) as error:
            yield f"{self._stem}.json cannot be read: {error}"
        if not self._folder.exists(self.name):
            yield "no such file"
            return
        with local_copy(self._folder / self.name) as tar:
            yield from self._sample_problems(tar)
            inputs = self.rows["manifest_id"].nunique()
            records: Any = self.rows.to_dict("records")
            read = shard_mark(self._stem, self._split, inputs, records, Path(tar), self._speech)
        if self.mark:
            yield from _differences(f"{self._stem}.json", self.mark, read)

    def _row_problems(self) -> Iterator[str]:
        """The parquet by itself."""
        name = f"{self._stem}.parquet"
        try:
            self.rows = parse_rows(self._folder.read_bytes(name), COLUMNS)
        except (OSError, ValueError) as error:
            yield f"{name} cannot be read: {error}"
            return
        statuses = self.rows["status"]
        if not set(statuses) <= _STATUSES:
            yield f"{name} has a status other than {', '.join(sorted(_STATUSES))}"
        if (self.rows["split"] != self._split).any():
            yield f"{name} has clips of another split than {self._split}"
        if (self.rows["reason"].eq("") & statuses.ne("ok")).any():
            yield f"{name} has a clip left out without a reason"

    def _sample_problems(self, tar: str) -> Iterator[str]:
        """Every sample, and the samples against the rows."""
        rows = self.rows[self.rows["status"] == "ok"].set_index("clip_id")["frames"]
        keys: list[str] = []
        try:
            for key, members in read_shard(tar):
                keys.append(key)
                found = self._examine(key, members, rows.get(key))
                yield from (f"{key}: {text}" for text in found)
        except Exception as error:  # noqa: BLE001 - whatever a damaged tar raises is the finding
            yield f"cannot be read to its end: {error}"
        absent, unknown = sorted(set(rows.index) - set(keys)), sorted(set(keys) - set(rows.index))
        yield from (f"{key} is in the parquet but not in the tar" for key in absent)
        yield from (f"{key} is in the tar but not in the parquet" for key in unknown)

    def _examine(self, key: str, members: dict[str, bytes], frames: float | None) -> list[str]:
        """One sample by itself, against its row and against the data set."""
        try:
            sample = from_members(key, members)
            found = problems(sample)
            self._speech.add(sample.speech)
        except Exception as error:  # noqa: BLE001 - whatever a damaged sample raises is the finding
            return [f"cannot be read: {error!r}"]
        self.samples += 1
        self.frames += len(sample.frames)
        if found:
            return found
        meta, options, length = sample.meta, self._options, sample.meta["frames"]
        if meta["split"] != self._split:
            found.append(f"split {meta['split']} in a shard of split {self._split}")
        if frames not in (None, length):
            found.append(f"{length} frames, but {frames:.0f} in the parquet")
        shaping = {name: value for name, value in options.items() if name != "limits"}
        if meta["options"] != shaping or meta["image_size"] != options["image_size"]:
            found.append(f"made with other options than those in {DATASET_FILE}")
        if meta["speech_dim"] != self._dim:
            found.append(f"speech_dim {meta['speech_dim']}, but {self._dim} in {DATASET_FILE}")
        return found
