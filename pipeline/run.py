"""Runs a plan: shards by Ray actors, each with its models loaded once, or in this process."""

from __future__ import annotations

import logging
import os
import socket
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from pipeline.errors import UserError
from pipeline.files import atomic_path, read_json, sha256_file, write_json
from pipeline.sample import SCHEMA_VERSION, to_members
from pipeline.shards import DATASET_FILE, open_shard
from pipeline.speech import COEFFICIENTS, MFCC_DIM, STEPS
from pipeline.stages import default_stages, needed_weights, prepare
from pipeline.weights import locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from pipeline.options import PrepOptions
    from pipeline.plan import Shard

COLUMNS = [
    "clip_id",
    "source",
    "speaker",
    "split",
    "status",
    "stage",
    "reason",
    "traceback",
    "frames",
    "clip_seconds",
    "faces",
    "eye_distance",
    "yaw",
    "pitch",
    "roll",
    "mouth_opening_std",
    "loudness",
    "frame_psnr",
    "seconds_decode",
    "seconds_landmarks",
    "seconds_align",
    "seconds_speech",
]


class ShardWriter:
    """Prepares the clips of a shard end to end and writes its three files, the mark last.

    Args:
        out: the data set's folder.
        options: of the run.
        weights: paths of the pretrained files by name.
        threads: threads this process may use inside OpenCV.
    """

    def __init__(
        self, out: str, options: PrepOptions, weights: dict[str, Path], threads: int
    ) -> None:
        import cv2

        cv2.setNumThreads(threads)
        self._out = Path(out)
        self._options = options
        self._stages = default_stages(options, weights)

    def write(self, shard: Shard) -> Iterator[dict[str, Any]]:
        """Writes a shard and yields the row of each clip as it ends."""
        rows: list[dict[str, Any]] = []
        speech = SpeechStatistics()
        tar_path = self._out / f"{shard.name}.tar"
        # A shard done again is not done until it is marked anew.
        tar_path.with_suffix(".json").unlink(missing_ok=True)
        for left_by_a_kill in self._out.glob(f".{shard.name}.*.tmp.*"):
            left_by_a_kill.unlink(missing_ok=True)
        with atomic_path(tar_path) as temporary:
            with open_shard(temporary) as add:
                for clip in shard.rows:
                    outcome = prepare(clip, self._options, self._stages)
                    rows.append(outcome.row)
                    if outcome.sample is not None:
                        add(clip.clip_id, to_members(outcome.sample))
                        speech.add(outcome.sample.speech)
                    yield outcome.row
            with atomic_path(tar_path.with_suffix(".parquet")) as table:
                pd.DataFrame(rows).reindex(columns=COLUMNS).to_parquet(table, index=False)
        good = [row for row in rows if row["status"] == "ok"]
        mark = {
            "name": tar_path.name,
            "split": shard.split,
            "clips": len(rows),
            "samples": len(good),
            "failed": sum(row["status"] == "failed" for row in rows),
            "frames": sum(row["frames"] for row in good),
            "bytes": tar_path.stat().st_size,
            "sha256": sha256_file(tar_path),
            "speech": speech.as_json(),
        }
        write_json(tar_path.with_suffix(".json"), mark)


class SpeechStatistics:
    """Sums of the speech features, from which the model takes mean and deviation."""

    def __init__(self) -> None:
        self.count = 0
        self.sum: NDArray[np.float64] = np.zeros(COEFFICIENTS)
        self.squares: NDArray[np.float64] = np.zeros(COEFFICIENTS)

    def add(self, speech: NDArray[np.float32]) -> None:
        """Adds the (T, F) features of a clip."""
        values = speech.reshape(-1, COEFFICIENTS).astype(np.float64)
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
        return {
            "count": self.count,
            "sum": self.sum.tolist(),
            "squares": self.squares.tolist(),
        }


def pending(out: Path, shards: list[Shard], *, retry_failed: bool) -> list[Shard]:
    """The shards still to do: one of their files is absent, or a clip failed if that is asked."""

    def open_(shard: Shard) -> bool:
        mark = out / f"{shard.name}.json"
        if not all(mark.with_suffix(suffix).exists() for suffix in (".tar", ".parquet", ".json")):
            return True
        return retry_failed and bool(read_json(mark)["failed"])

    return [shard for shard in shards if open_(shard)]


def fetch_weights(options: PrepOptions, weights_dir: Path | None) -> dict[str, Path]:
    """Paths of the pretrained files of a run, fetched if need be.

    Raises:
        UserError: one of them is not to be had.
    """
    return {name: locate(name, weights_dir) for name in needed_weights(options)}


def run_shards(
    out: Path,
    shards: list[Shard],
    options: PrepOptions,
    *,
    workers: int,
    address: str | None = None,
    weights_dir: Path | None = None,
) -> Iterator[dict[str, Any]]:
    """Prepares shards and yields the row of each clip as it ends.

    Args:
        out: the data set's folder, on a file system that all workers see.
        shards: what is to do, from `pending`.
        options: of the run.
        workers: Ray actors; 0 works in this process, without Ray.
        address: of a running Ray cluster; None starts one on this machine.
        weights_dir: the user's folder of pretrained files.
    """
    weights = fetch_weights(options, weights_dir)
    if workers == 0:
        writer = ShardWriter(str(out), options, weights, os.cpu_count() or 1)
        for shard in shards:
            yield from writer.write(shard)
        return
    workers = min(workers, len(shards))
    threads = max(1, (os.cpu_count() or 1) // max(1, workers))
    with _ray(address, threads) as ray:
        # Less than a whole CPU each, so that two cores hold two workers and whatever else runs; of
        # more workers than that, less still: one that never starts would wait for ever.
        share = min(0.5, ray.cluster_resources()["CPU"] / (2 * workers))
        actor = ray.remote(num_cpus=share, max_restarts=3, max_task_retries=3)(ShardWriter)
        arguments = (str(out.absolute()), options, weights, threads)
        idle = [actor.remote(*arguments) for _ in range(workers)]
        queue = list(reversed(shards))
        running: dict[Any, Any] = {}
        while queue or running:
            while idle and queue:
                worker = idle.pop()
                rows = worker.write.options(num_returns="streaming").remote(queue.pop())
                running[rows] = worker
            ready, _ = ray.wait(list(running), num_returns=1)
            try:
                yield ray.get(next(ready[0]))
            except StopIteration:
                idle.append(running.pop(ready[0]))


@contextmanager
def _ray(address: str | None, threads: int) -> Iterator[Any]:
    """A Ray session without dashboard, log spam or usage statistics."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    import ray

    environment = {"env_vars": {"OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore"}}
    common: dict[str, Any] = {
        "runtime_env": environment,
        "log_to_driver": False,
        "logging_level": logging.ERROR,
    }
    try:
        if address:
            _knock(address)
            ray.init(address=address, **common)
        else:
            # Frames never pass through the object store: paths and rows fit into little of it.
            ray.init(include_dashboard=False, object_store_memory=100 << 20, **common)
    except OSError as error:
        raise UserError(f"no Ray cluster answers at {address}: {error}") from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raises an `OSError` at once if nothing listens; Ray by itself tries for many minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if port.isdigit():  # and not "auto"
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def finish(out: Path, shards: list[Shard], options: PrepOptions) -> dict[str, Any]:
    """Writes `dataset.json` once every shard is marked, and returns it."""
    marks = [read_json(out / f"{shard.name}.json") for shard in shards]
    total = SpeechStatistics()
    for mark in marks:
        total.merge(mark.pop("speech"))
    mean = total.sum / max(total.count, 1)
    deviation = np.sqrt(np.maximum(total.squares / max(total.count, 1) - mean**2, 0))
    counted = {name: sum(mark[name] for mark in marks) for name in ("clips", "samples", "frames")}
    failed = sum(mark["failed"] for mark in marks)
    dataset = {
        "schema_version": SCHEMA_VERSION,
        "options": options.as_json(),
        "counts": {
            **counted,
            "failed": failed,
            "skipped": counted["clips"] - counted["samples"] - failed,
            "hours": round(counted["frames"] / 25 / 3600, 4),
        },
        "speech": {
            "dim": MFCC_DIM,
            "steps": STEPS,
            "coefficients": COEFFICIENTS,
            "mean": np.round(mean, 5).tolist(),
            "std": np.round(deviation, 5).tolist(),
        },
        "shards": marks,
    }
    write_json(out / DATASET_FILE, dataset)
    return dataset


def read_rows(out: Path) -> pd.DataFrame:
    """The row of every clip of a data set, in the order of its shards."""
    parts = [pd.read_parquet(path) for path in sorted(out.glob("shard-*.parquet"))]
    if not parts:
        raise UserError(f"{out} holds no shard; make one with: dh-prep run INPUT --out {out}")
    return pd.concat(parts, ignore_index=True)
