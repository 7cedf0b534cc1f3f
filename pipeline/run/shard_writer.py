"""One shard end to end: its clips prepared, its three files written, the mark last."""

import ctypes
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.choices import Speech
from pipeline.dataset.finalize import write_shard
from pipeline.dataset.plan import Shard
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.rows import parse_rows
from pipeline.dataset.sample import from_members, to_members
from pipeline.dataset.shards import read_shard
from pipeline.errors import UserError
from pipeline.files import sha256_file
from pipeline.run.attempts import Journal
from pipeline.run.clip import Stage
from pipeline.run.prepare_clip import Outcome, failed, prepare_clip
from pipeline.run.stages import default_stages, needed_weights
from pipeline.sources.manifest import ManifestRow
from pipeline.storage import Folder
from pipeline.weights import locate


@dataclass(frozen=True)
class ShardTask:
    """A shard to be written."""

    shard: Shard
    keep: bool = False  # it was written before; only its failed clips are prepared again


@dataclass
class ShardWriter:
    """Writes shards, its models loaded once."""

    out: Folder
    options: PrepOptions
    weights_dir: Path | None
    # What one clip may take until the process is ended, see `pipeline.run.attempts`; None does
    # without a journal.
    clip_minutes: float | None
    threads: int  # inside OpenCV and torch
    _stages: list[Stage] = field(default_factory=list, init=False)

    def __call__(self, task: ShardTask) -> Iterator[list[dict[str, Any]]]:
        """Writes a shard and yields the rows of each of its clips as it ends."""
        if self.clip_minutes is None:
            yield from self._write(task, None)
            return
        with Journal(self.out, task.shard.name, self.clip_minutes) as journal:
            yield from self._write(task, journal)

    def _write(self, task: ShardTask, journal: Journal | None) -> Iterator[list[dict[str, Any]]]:
        if not self._stages:  # once, at the first shard: only a task can report what goes wrong
            import cv2

            cv2.setNumThreads(self.threads)
            weights = fetch_weights(self.options, self.weights_dir)
            self._stages = default_stages(self.options, weights)
        shard, out = task.shard, self.out
        with ExitStack() as unfinished:
            # Without its mark, old and new files may lie there side by side: all is done anew.
            keep = task.keep and out.exists(f"{shard.name}.json")
            kept = _KeptShard(out, shard, unfinished) if keep else None
            files = write_shard(out, shard.name, shard.split, len(shard.rows), self.options.speech)
            add, rows = unfinished.enter_context(files)
            for row in shard.rows:
                outcome = kept.outcome(row) if kept else None
                if outcome is None:
                    outcome = self._prepare(row, journal)
                for sample in outcome.samples:
                    add(sample.key, to_members(sample), sample.speech)
                rows += outcome.rows
                yield outcome.rows
        # Memory that was freed goes back to the system; glibc by itself keeps it for good.
        if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):  # it is glibc's alone
            trim(0)

    def _prepare(self, row: ManifestRow, journal: Journal | None) -> Outcome:
        if journal is None:
            return prepare_clip(row, self.options, self._stages)
        if row.clip_id in journal.given_up:
            return failed(row, "decode", journal.given_up[row.clip_id])
        journal.enter(row.clip_id)
        outcome = prepare_clip(row, self.options, self._stages)
        journal.enter("")
        return outcome


class _KeptShard:
    """What a shard that is done already holds; read along with its clips, in their order."""

    def __init__(self, out: Folder, shard: Shard, stack: ExitStack) -> None:
        rows = parse_rows(out.read_bytes(f"{shard.name}.parquet"))
        self._rows = {str(key): part for key, part in rows.groupby("manifest_id", sort=False)}
        self._tar = stack.enter_context(closing(read_shard(out / f"{shard.name}.tar")))

    def outcome(self, row: ManifestRow) -> Outcome | None:
        """Rows and samples of a clip as they are; None of one that failed."""
        rows = self._rows[row.clip_id]
        if (rows["status"] == "failed").any():
            return None
        records = [{str(k): v for k, v in line.items()} for line in rows.to_dict("records")]
        good = [line["clip_id"] for line in records if line["status"] == "ok"]
        found = (next(one for one in self._tar if one[0] == key) for key in good)
        return Outcome(records, [from_members(*one) for one in found])


def fetch_weights(options: PrepOptions, weights_dir: Path | None) -> dict[str, Path]:
    """Paths of the pretrained files of a run, fetched if need be."""
    found = {name: locate(name, weights_dir) for name in needed_weights(options)}
    encoder = found.get("audio_encoder.pt")
    if encoder and options.speech_encoder not in ("", sha256_file(encoder)):
        raise UserError(
            f"{encoder} is another speech encoder than the run began with (SHA-256 "
            f"{options.speech_encoder})"
        )
    return found


def encoder_digest(speech: Speech, weights_dir: Path | None) -> str:
    """SHA-256 of the speech encoder that a run reads, empty where it reads none."""
    return sha256_file(locate("audio_encoder.pt", weights_dir)) if speech == "released" else ""
