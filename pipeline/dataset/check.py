"""The whole contract of a data set, checked file by file and sample by sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipeline.dataset.columns import COLUMNS
from pipeline.dataset.finalize import SpeechStatistics
from pipeline.dataset.plan import PLAN_FILE
from pipeline.dataset.prep_options import flat_options
from pipeline.dataset.rows import parse_rows
from pipeline.dataset.sample import SCHEMA_VERSION, Sample, from_members, problems
from pipeline.dataset.shards import DATASET_FILE, read_dataset, read_shard
from pipeline.files import sha256_file
from pipeline.progress import progress
from pipeline.sources.splits import in_several
from pipeline.storage import Folder, local_copy

_COUNTED = ("inputs", "clips", "samples", "failed", "frames")
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
    """Reads every file of a data set and collects all that breaks the contract.

    Raises:
        UserError: the folder is no finished data set.
    """
    folder, verdict = Folder.at(folder), Verdict()
    try:
        dataset = read_dataset(folder)
        verdict.problems += _dataset_problems(folder, dataset)
        entries = [(entry["name"], entry) for entry in dataset["shards"]]
    except (ValueError, KeyError, TypeError) as error:
        verdict.problems.append(f"{DATASET_FILE} cannot be used: {error!r}")
        return verdict
    seen: Counter[str] = Counter()
    speakers: dict[str, set[str]] = {}
    with progress("shards", len(entries)) as step:
        for name, entry in entries:
            shard = _ShardCheck(folder, entry, dataset)
            verdict.problems += [f"{name}: {problem}" for problem in shard.problems()]
            verdict.shards += 1
            verdict.clips += len(shard.rows)
            verdict.samples += shard.samples
            verdict.frames += shard.frames
            seen.update(shard.rows["clip_id"])
            good = shard.rows[shard.rows["status"] == "ok"]
            speakers.setdefault(entry["split"], set()).update(set(good["speaker"]) - {""})
            step()
    verdict.problems += [f"clip_id {key} occurs {n} times" for key, n in seen.items() if n > 1]
    verdict.problems += _speaker_problems(dataset, speakers)
    return verdict


def _speaker_problems(dataset: dict[str, Any], speakers: dict[str, set[str]]) -> Iterator[str]:
    """What dataset.json says of speakers and splits against the rows."""
    counted = dict(dataset.get("speakers", {}))
    shared = counted.pop("in_several_splits", None)
    if counted != {split: len(names) for split, names in speakers.items()}:
        yield f"{DATASET_FILE} counts other speakers than the rows name"
    if shared != in_several(speakers):
        yield f"{DATASET_FILE} names other speakers than the rows as being in several splits"


def _dataset_problems(folder: Folder, dataset: dict[str, Any]) -> Iterator[str]:
    """dataset.json against itself, against the plan and against the files that lie there."""
    if dataset["schema_version"] != SCHEMA_VERSION:
        yield f"dataset.json: schema version {dataset['schema_version']}, not {SCHEMA_VERSION}"
    shards, counts = dataset["shards"], dataset["counts"]
    for name in _COUNTED:
        total = sum(shard[name] for shard in shards)
        if counts[name] != total:
            yield f"dataset.json counts {counts[name]} {name}, its shards {total}"
    if counts["skipped"] != counts["clips"] - counts["samples"] - counts["failed"]:
        yield "dataset.json: samples, skipped and failed do not add up to clips"
    stray = set(folder.names("shard-*.tar")) - {s["name"] for s in shards}
    yield from (f"{name} lies there but is not in dataset.json" for name in sorted(stray))
    try:
        plan = folder.read_json(PLAN_FILE)
    except (OSError, ValueError) as error:
        yield f"{PLAN_FILE} cannot be read: {error}"
        return
    expected = {
        "schema_version": SCHEMA_VERSION,
        "options": flat_options(dataset["options"]),
        "clips": counts["inputs"],
        "shards": len(shards),
    }
    planned = plan | {"options": flat_options(plan.get("options", {}))}
    for name, value in expected.items():
        if planned.get(name) != value:
            yield f"{PLAN_FILE} has {name} {planned.get(name)}, dataset.json {value}"


class _ShardCheck:
    """One shard: its three files against each other and against its entry in dataset.json."""

    def __init__(self, folder: Folder, entry: dict[str, Any], dataset: dict[str, Any]) -> None:
        self._folder, self._entry, self._dataset = folder, entry, dataset
        self._stem = entry["name"].removesuffix(".tar")
        self._speech = SpeechStatistics(dataset["speech"]["coefficients"])
        self.rows = pd.DataFrame(columns=COLUMNS)
        self.samples = self.frames = 0

    def problems(self) -> Iterator[str]:
        """Every problem; afterwards `rows`, `samples` and `frames` hold what was read."""
        yield from self._row_problems()
        if not self._folder.exists(self._entry["name"]):
            yield "no such file"
            return
        with local_copy(self._folder / self._entry["name"]) as tar:
            size = Path(tar).stat().st_size
            if sha256_file(tar) != self._entry["sha256"]:
                yield "its SHA-256 is not the one in dataset.json"
            yield from self._sample_problems(tar)
        yield from self._mark_problems(size)

    def _row_problems(self) -> Iterator[str]:
        """The parquet against the entry."""
        name = f"{self._stem}.parquet"
        try:
            self.rows = parse_rows(self._folder.read_bytes(name), COLUMNS)
        except (OSError, ValueError) as error:
            yield f"{name} cannot be read: {error}"
            return
        statuses = self.rows["status"]
        counted = {
            "inputs": self.rows["manifest_id"].nunique(),
            "clips": len(self.rows),
            "samples": int((statuses == "ok").sum()),
            "failed": int((statuses == "failed").sum()),
        }
        for what, count in counted.items():
            if count != self._entry[what]:
                yield f"{name} has {count} {what}, dataset.json {self._entry[what]}"
        if not set(statuses) <= _STATUSES:
            yield f"{name} has a status other than {', '.join(sorted(_STATUSES))}"
        if (self.rows["split"] != self._entry["split"]).any():
            yield f"{name} has clips of another split than {self._entry['split']}"
        if (self.rows["reason"].eq("") & statuses.ne("ok")).any():
            yield f"{name} has a clip left out without a reason"

    def _sample_problems(self, tar: str) -> Iterator[str]:
        """Every sample, and the samples against the rows."""
        rows = self.rows[self.rows["status"] == "ok"].set_index("clip_id")["frames"]
        keys: list[str] = []
        try:
            for key, members in read_shard(tar):
                keys.append(key)
                yield from (f"{key}: {text}" for text in self._examine(key, members, rows))
        except Exception as error:  # noqa: BLE001 - whatever a damaged tar raises is the finding
            yield f"cannot be read to its end: {error}"
        absent, unknown = sorted(set(rows.index) - set(keys)), sorted(set(keys) - set(rows.index))
        yield from (f"{key} is in the parquet but not in the tar" for key in absent)
        yield from (f"{key} is in the tar but not in the parquet" for key in unknown)

    def _examine(self, key: str, members: dict[str, bytes], rows: pd.Series[int]) -> list[str]:
        """One sample by itself, and against its row and the data set."""
        try:
            sample = from_members(key, members)
            found = problems(sample) or list(self._disagreements(sample, rows.get(key)))
            self._speech.add(sample.speech)
        except Exception as error:  # noqa: BLE001 - whatever a damaged sample raises is the finding
            return [f"cannot be read: {error!r}"]
        self.samples += 1
        self.frames += len(sample.frames)
        return found

    def _disagreements(self, sample: Sample, frames: float | None) -> Iterator[str]:
        """Where a sample's json says other than its surroundings."""
        meta, options = sample.meta, self._dataset["options"]
        if meta["split"] != self._entry["split"]:
            yield f"split {meta['split']} in a shard of split {self._entry['split']}"
        if frames is not None and frames != meta["frames"]:
            yield f"{meta['frames']} frames, but {frames:.0f} in the parquet"
        shaping = {name: value for name, value in options.items() if name != "limits"}
        if meta["options"] != shaping or meta["image_size"] != options["image_size"]:
            yield "made with other options than those in dataset.json"
        dim = self._dataset["speech"]["dim"]
        if meta["speech_dim"] != dim:
            yield f"speech_dim {meta['speech_dim']}, but {dim} in dataset.json"

    def _mark_problems(self, size: int) -> Iterator[str]:
        """The mark and the entry against what was read."""
        name = f"{self._stem}.json"
        try:
            mark = self._folder.read_json(name)
        except (OSError, ValueError) as error:
            yield f"{name} cannot be read: {error}"
            return
        speech = mark.pop("speech", {})
        mark.pop("speakers", None)
        if mark != self._entry:
            yield f"{name} and dataset.json disagree"
        read = {"samples": self.samples, "frames": self.frames, "bytes": size}
        for what, count in read.items():
            if count != self._entry[what]:
                yield f"{count} {what}, but {self._entry[what]} in dataset.json"
        for what, value in self._speech.as_json().items():
            if what not in speech or not np.allclose(speech[what], value):
                yield f"{name}: {what} of the speech features is not that of the samples"
