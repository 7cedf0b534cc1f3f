"""The files of a shard, its mark last, and `dataset.json` from all marks."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.choices import Speech
from pipeline.dataset.plan import PLAN_FILE, SOUND
from pipeline.dataset.rows import rows_bytes
from pipeline.dataset.sample import SCHEMA_VERSION
from pipeline.dataset.shards import DATASET_FILE, open_shard
from pipeline.files import sha256_file
from pipeline.media import FPS
from pipeline.sources.splits import in_several
from pipeline.speech.features import SHAPES
from pipeline.storage import Folder

AddSample = Callable[[str, dict[str, bytes], NDArray[np.float32]], None]


def shard_mark(
    name: str,
    split: str,
    inputs: int,
    rows: list[dict[str, Any]],
    tar: Path,
    speech: SpeechStatistics,
) -> dict[str, Any]:
    """The JSON that marks a shard of `inputs` clips of the manifest as done."""
    good = [row for row in rows if row["status"] == "ok"]
    return {
        "name": f"{name}.tar",
        "split": split,
        "inputs": inputs,
        "clips": len(rows),
        "samples": len(good),
        "failed": sum(row["status"] == "failed" for row in rows),
        "frames": int(sum(row["frames"] for row in good)),
        "speakers": sorted({row["speaker"] for row in good if row["speaker"]}),
        "bytes": tar.stat().st_size,
        "sha256": sha256_file(tar),
        "speech": speech.as_json(),
    }


class SpeechStatistics:
    """Sums of each coefficient of the speech features, for their mean and deviation."""

    def __init__(self, coefficients: int) -> None:
        self.count = 0
        self.sum: NDArray[np.float64] = np.zeros(coefficients)
        self.squares: NDArray[np.float64] = np.zeros(coefficients)

    def add(self, speech: NDArray[np.float32]) -> None:
        """Adds the (T, F) features of a clip."""
        values = speech.reshape(-1, len(self.sum)).astype(np.float64)
        self.count += len(values)
        self.sum += values.sum(0)
        self.squares += (values**2).sum(0)

    def merge(self, other: dict[str, Any]) -> None:
        """Adds what another shard counted."""
        self.count += other["count"]
        self.sum += other["sum"]
        self.squares += other["squares"]

    def as_json(self) -> dict[str, Any]:
        """Count and sums of each coefficient."""
        sums, squares = self.sum.tolist(), self.squares.tolist()
        return {"count": self.count, "sum": sums, "squares": squares}


@contextmanager
def write_shard(
    out: Folder, name: str, split: str, inputs: int, speech: Speech
) -> Iterator[tuple[AddSample, list[dict[str, Any]]]]:
    """Writes the three files of a shard of `inputs` clips of the manifest.

    Gives the function that adds a sample, by key, members and (T, F) speech features, and the list
    to which the rows of all clips are added.
    """
    statistics, rows = SpeechStatistics(SHAPES[speech].coefficients), list[dict[str, Any]]()
    with out.write(f"{name}.tar") as tar:
        with open_shard(tar) as add_members:

            def add(key: str, members: dict[str, bytes], features: NDArray[np.float32]) -> None:
                add_members(key, members)
                statistics.add(features)

            yield add, rows
        mark = shard_mark(name, split, inputs, rows, tar, statistics)
        # From here on old files go and new ones come; a mark never stands beside files that it does
        # not describe.
        out.remove(f"{name}.json")
        with out.write(f"{name}.parquet") as table:
            table.write_bytes(rows_bytes(rows))
    out.write_json(f"{name}.json", mark)


def finish(out: Folder | Path, names: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """Writes `dataset.json` once the shards of these names are marked, and returns it."""
    out = Folder.at(out)
    remove_leftovers(out)  # a run may have had nothing to do
    marks = [json.loads(data) for data in out.read_many([f"{n}.json" for n in names]).values()]
    dataset = dataset_json(options, out.read_json(PLAN_FILE), marks)
    out.write_json(DATASET_FILE, dataset)
    return dataset


def dataset_json(
    options: dict[str, Any], plan: dict[str, Any], marks: Sequence[dict[str, Any]]
) -> dict[str, Any]:
    """The content of `dataset.json`, from plan.json and the marks of the shards."""
    shape = SHAPES[options["speech"]]
    total = SpeechStatistics(shape.coefficients)
    splits: dict[str, set[str]] = {}
    for mark in marks:
        total.merge(mark["speech"])
        splits.setdefault(mark["split"], set()).update(mark["speakers"])
    mean = total.sum / max(total.count, 1)
    deviation = np.sqrt(np.maximum(total.squares / max(total.count, 1) - mean**2, 0))
    names_counted = ("inputs", "clips", "samples", "frames", "failed")
    counted = {name: sum(mark[name] for mark in marks) for name in names_counted}
    dataset = {
        "schema_version": SCHEMA_VERSION,
        "source": plan.get("source", ""),
        "licence": plan.get("licence", ""),
        "options": options,
        "counts": {
            **counted,
            "skipped": counted["clips"] - counted["samples"] - counted["failed"],
            "hours": round(counted["frames"] / FPS / 3600, 4),
        },
        "speakers": {
            **{split: len(speakers) for split, speakers in sorted(splits.items())},
            "in_several_splits": in_several(splits),
        },
        "speech": {
            "name": options["speech"],
            "encoder": options.get("speech_encoder", ""),
            "dim": shape.dim,
            "steps": shape.steps,
            "coefficients": shape.coefficients,
            "mean": np.round(mean, 5).tolist(),
            "std": np.round(deviation, 5).tolist(),
        },
        "shards": [
            {key: value for key, value in mark.items() if key not in ("speech", "speakers")}
            for mark in marks
        ],
    }
    return dataset | ({SOUND: plan[SOUND]} if options.get("align_sound") else {})


def remove_leftovers(out: Folder) -> None:
    """Removes the half-written files and journals that killed processes left."""
    for name in out.names(".shard-*.tmp.*"):
        out.remove(name)
