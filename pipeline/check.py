"""The whole contract of a data set, checked file by file and sample by sample."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from pipeline.files import read_json, sha256_file
from pipeline.plan import PLAN_FILE
from pipeline.progress import progress
from pipeline.run import COLUMNS, SpeechStatistics
from pipeline.sample import SCHEMA_VERSION, Sample, from_members, problems
from pipeline.shards import DATASET_FILE, read_dataset, read_tar

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_COUNTED = ("clips", "samples", "failed", "frames")
_STATUSES = {"ok", "skipped", "failed"}


@dataclass
class Verdict:
    """What a check read, and every problem it found, a sentence each."""

    shards: int = 0
    clips: int = 0
    samples: int = 0
    frames: int = 0
    problems: list[str] = field(default_factory=list)


def check_dataset(folder: Path) -> Verdict:
    """Reads every file of a data set and collects all that breaks the contract.

    Raises:
        UserError: the folder is no finished data set.
    """
    verdict = Verdict()
    try:
        dataset = read_dataset(folder)
        verdict.problems += _dataset_problems(folder, dataset)
        entries = [
            (entry["name"], _ShardCheck(folder, entry, dataset)) for entry in dataset["shards"]
        ]
    except (ValueError, KeyError, TypeError) as error:
        verdict.problems.append(f"{DATASET_FILE} cannot be used: {error!r}")
        return verdict
    seen: Counter[str] = Counter()
    with progress("shards", len(entries)) as step:
        for name, shard in entries:
            verdict.problems += [f"{name}: {problem}" for problem in shard.problems()]
            verdict.shards += 1
            verdict.clips += len(shard.rows)
            verdict.samples += shard.samples
            verdict.frames += shard.frames
            seen.update(shard.rows["clip_id"])
            step()
    verdict.problems += [f"clip_id {key} occurs {n} times" for key, n in seen.items() if n > 1]
    return verdict


def _dataset_problems(folder: Path, dataset: dict[str, Any]) -> Iterator[str]:
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
    stray = {path.name for path in folder.glob("shard-*.tar")} - {s["name"] for s in shards}
    yield from (f"{name} lies there but is not in dataset.json" for name in sorted(stray))
    try:
        plan = read_json(folder / PLAN_FILE)
    except (OSError, ValueError) as error:
        yield f"{PLAN_FILE} cannot be read: {error}"
        return
    expected = {
        "schema_version": SCHEMA_VERSION,
        "options": dataset["options"],
        "clips": counts["clips"],
        "shards": len(shards),
    }
    for name, value in expected.items():
        if plan.get(name) != value:
            yield f"{PLAN_FILE} has {name} {plan.get(name)}, dataset.json {value}"


class _ShardCheck:
    """One shard: its three files against each other and against its entry in dataset.json.

    Args:
        folder: of the data set.
        entry: of the shard in dataset.json.
        dataset: dataset.json.
    """

    def __init__(self, folder: Path, entry: dict[str, Any], dataset: dict[str, Any]) -> None:
        self._tar = folder / entry["name"]
        self._entry = entry
        self._dataset = dataset
        self._speech = SpeechStatistics()
        self.rows = pd.DataFrame(columns=COLUMNS)
        self.samples = self.frames = 0

    def problems(self) -> Iterator[str]:
        """Every problem; afterwards `rows`, `samples` and `frames` hold what was read."""
        yield from self._row_problems()
        if not self._tar.exists():
            yield "no such file"
            return
        if sha256_file(self._tar) != self._entry["sha256"]:
            yield "its SHA-256 is not the one in dataset.json"
        yield from self._sample_problems()
        yield from self._mark_problems()

    def _row_problems(self) -> Iterator[str]:
        """The parquet against the entry."""
        path = self._tar.with_suffix(".parquet")
        try:
            self.rows = pd.read_parquet(path, columns=COLUMNS)
        except (OSError, ValueError) as error:
            yield f"{path.name} cannot be read: {error}"
            return
        statuses = self.rows["status"]
        counted = {
            "clips": len(self.rows),
            "samples": int((statuses == "ok").sum()),
            "failed": int((statuses == "failed").sum()),
        }
        for name, count in counted.items():
            if count != self._entry[name]:
                yield f"{path.name} has {count} {name}, dataset.json {self._entry[name]}"
        if not set(statuses) <= _STATUSES:
            yield f"{path.name} has a status other than {', '.join(sorted(_STATUSES))}"
        if (self.rows["split"] != self._entry["split"]).any():
            yield f"{path.name} has clips of another split than {self._entry['split']}"
        if (self.rows["reason"].eq("") & statuses.ne("ok")).any():
            yield f"{path.name} has a clip left out without a reason"

    def _sample_problems(self) -> Iterator[str]:
        """Every sample, and the samples against the rows."""
        rows = self.rows[self.rows["status"] == "ok"].set_index("clip_id")["frames"]
        keys: list[str] = []
        try:
            for key, members in read_tar(self._tar):
                keys.append(key)
                yield from (f"{key}: {text}" for text in self._examine(key, members, rows))
        except Exception as error:  # noqa: BLE001 - whatever a damaged tar raises is the finding
            yield f"cannot be read to its end: {error}"
        for key in sorted(set(rows.index) - set(keys)):
            yield f"{key} is in the parquet but not in the tar"
        for key in sorted(set(keys) - set(rows.index)):
            yield f"{key} is in the tar but not in the parquet"

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
        if meta["options"] != options or meta["image_size"] != options["image_size"]:
            yield "made with other options than those in dataset.json"
        dim = self._dataset["speech"]["dim"]
        if meta["speech_dim"] != dim:
            yield f"speech_dim {meta['speech_dim']}, but {dim} in dataset.json"

    def _mark_problems(self) -> Iterator[str]:
        """The mark and the entry against what was read."""
        path = self._tar.with_suffix(".json")
        try:
            mark = cast("dict[str, Any]", read_json(path))
        except (OSError, ValueError) as error:
            yield f"{path.name} cannot be read: {error}"
            return
        speech = mark.pop("speech", {})
        if mark != self._entry:
            yield f"{path.name} and dataset.json disagree"
        read = {"samples": self.samples, "frames": self.frames, "bytes": self._tar.stat().st_size}
        for name, count in read.items():
            if count != self._entry[name]:
                yield f"{count} {name}, but {self._entry[name]} in dataset.json"
        for name, value in self._speech.as_json().items():
            if name not in speech or not np.allclose(speech[name], value):
                yield f"{path.name}: {name} of the speech features is not that of the samples"
