"""Shards to batches, as a stream whose order depends on the seed alone.

A batch has B rows, and each row is a lane: a stream of training frames of its own. In every epoch
the clips of the data set, their shards in a new order, are dealt out to the lanes in equal runs;
a lane reads its run from beginning to end and draws a few frames from each clip. So the frames of a
batch come from different clips, every clip is read once an epoch, memory holds a few packed clips a
lane, and it does not matter which process or machine reads which lane: one worker or eight, one
reader or none give the same batches. A lane can begin anywhere without drawing what came before.
"""

from __future__ import annotations

import itertools
import signal
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import webdataset
from numpy.typing import NDArray
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from model.config.architecture import UNetConfig
from model.config.recipe import TrainConfig
from model.data.training_frame import Batch, FrameChoice, collate, training_frame
from pipeline.dataset.sample import Sample
from pipeline.dataset.shards import decode_sample, read_dataset, shard_paths, shard_pipeline
from pipeline.errors import UserError

# Clips whose frames are mixed within a lane, so that a clip's few are not drawn in a row.
_MIXED = 4


@dataclass(frozen=True)
class Clips:
    """The clips of a split, as its shards hold them."""

    paths: list[str]  # of the shards
    counts: list[int]  # clips in each

    @classmethod
    def of(cls, folder: Path | str, split: str = "train") -> Clips:
        """Those of a data set; a `UserError` if it is not finished or has no clip of that split."""
        paths = shard_paths(folder, split)
        counts = {shard["name"]: shard["samples"] for shard in read_dataset(folder)["shards"]}
        return cls(paths, [counts[path.rpartition("/")[2]] for path in paths])

    def run(self, lane: int, lanes: int, epoch: int) -> tuple[int, int]:
        """Where a lane's run begins and ends in the epoch's order.

        The runs change hands from epoch to epoch, so that with fewer clips than lanes every lane
        has its turn.
        """
        place, total = (lane + epoch) % lanes, sum(self.counts)
        return place * total // lanes, (place + 1) * total // lanes

    def read(self, begin: int, end: int, order: NDArray[np.int64]) -> Iterator[Sample]:
        """Clips `begin` … `end` - 1, counted through the shards in the given order."""
        first = 0
        for shard in order:
            last = first + self.counts[shard]
            if first < end and begin < last:
                chosen = slice(max(begin, first) - first, min(end, last) - first)
                samples = shard_pipeline(self.paths[shard]).compose(
                    webdataset.slice(chosen.start, chosen.stop),  # what is skipped stays undecoded
                    webdataset.map(decode_sample),
                )
                found = 0
                for found, sample in enumerate(samples, start=1):  # noqa: B007
                    yield sample
                if found < chosen.stop - chosen.start:
                    raise UserError(
                        f"{self.paths[shard]} holds fewer clips than dataset.json says; "
                        "see: dh-prep check"
                    )
            first = last


def _plan(clips: int, per_clip: int, seed: list[int]) -> list[tuple[int, FrameChoice]]:
    """Which clip of a run each frame comes from, and which of its frames it is."""
    rng = np.random.default_rng(seed)
    clip = np.repeat(np.arange(clips), per_clip)
    order = np.argsort(clip + _MIXED * rng.random(len(clip)), kind="stable")
    shares = rng.random((len(clip), 4))
    seeds = rng.integers(1 << 62, size=len(clip))
    return [
        (int(clip[i]), FrameChoice(target, identity, drop, level, int(seeds[i])))
        for i, (target, identity, drop, level) in zip(order, shares.tolist(), strict=True)
    ]


def _walk(
    plan: Sequence[tuple[int, FrameChoice]], samples: Iterator[Sample]
) -> Iterator[tuple[Sample, FrameChoice]]:
    """The sample of every choice, each read when it is first needed and dropped after the last."""
    left = Counter(clip for clip, _ in plan)
    kept: dict[int, Sample] = {}
    numbered = enumerate(samples)
    for clip, choice in plan:
        while clip not in kept:
            number, sample = next(numbered)
            if left[number]:
                kept[number] = sample
        yield kept[clip], choice
        left[clip] -= 1
        if not left[clip]:
            del kept[clip]


@dataclass(eq=False)
class Lanes(IterableDataset[Batch]):
    """Some of the lanes of a batch side by side, divided among the processes of a DataLoader."""

    clips: Clips
    mine: Sequence[int]  # the lanes of this worker of the training
    lanes: int  # the rows of a batch
    config: UNetConfig
    recipe: TrainConfig
    seed: int
    skip: int = 0  # batches that were drawn before

    def __iter__(self) -> Iterator[Batch]:
        info = get_worker_info()
        mine = self.mine[info.id :: info.num_workers] if info else self.mine
        streams = [self.frames(lane) for lane in mine]
        while True:
            yield collate([next(stream) for stream in streams])

    def frames(self, lane: int) -> Iterator[Batch]:
        """The training frames of a lane, after the first `skip`."""
        recipe, skip = self.recipe, self.skip
        for epoch in itertools.count():
            begin, end = self.clips.run(lane, self.lanes, epoch)
            drawn = (end - begin) * recipe.frames_per_clip
            if skip >= drawn:  # also of an empty run
                skip -= drawn
                continue
            plan = _plan(end - begin, recipe.frames_per_clip, [self.seed, epoch, lane])[skip:]
            skip = 0
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.clips.paths))
            for sample, choice in _walk(plan, self.clips.read(begin, end, order)):
                yield training_frame(sample, choice, self.config, recipe)


def batches(lanes: Lanes, *, readers: int, device: torch.device) -> Generator[Batch, None, None]:
    """Batches on the device, without end, their rows in the order of the lanes.

    Closing the generator ends its `readers`, processes that read ahead: at most one a lane; with 0
    this process reads.
    """
    readers = min(readers, len(lanes.mine))
    loader: DataLoader[Any] = DataLoader(
        lanes,
        batch_size=None,
        num_workers=readers,
        pin_memory=device.type == "cuda",
        prefetch_factor=4 if readers else None,
        multiprocessing_context="spawn" if readers else None,
        worker_init_fn=_begin_reader if readers else None,
    )
    parts = _started(loader)
    try:
        while True:
            # Readers take turns, so that the next of each together are a batch.
            yield _woven([next(parts).to(device) for _ in range(max(1, readers))])
    finally:
        # Python ends processes like these by SIGTERM and waits; they leave it be, so that after
        # an error, whose traceback keeps them, the command would never end.
        if readers:
            parts._shutdown_workers()  # type: ignore[attr-defined]  # noqa: SLF001


def _woven(parts: list[Batch]) -> Batch:
    """Rows 0, 1, 2 … of a batch whose part i holds rows i, i + n, i + 2 n and so on."""
    if len(parts) == 1:
        return parts[0]
    count = sum(map(len, parts))
    rows = [row for first in range(len(parts)) for row in range(first, count, len(parts))]
    places = sorted(range(count), key=rows.__getitem__)
    tensors = {
        name: torch.cat([getattr(part, name) for part in parts])[places]
        for name in vars(parts[0])
        if name != "keys"
    }
    keys = [key for part in parts for key in part.keys]
    return Batch(**tensors, keys=[keys[place] for place in places])


def _begin_reader(_worker: int) -> None:
    """Ctrl-C reaches a whole process group: readers stay, so that the loop can end and save."""
    cv2.setNumThreads(1)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def _started(loader: DataLoader[Any]) -> Iterator[Batch]:
    """The loader with its readers started so that Ctrl-C, which reaches them too, leaves them be.

    A signal that is ignored stays so in the processes started meanwhile, even while they import.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    try:
        kept = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    except ValueError:  # not the main thread, which alone has signals
        return iter(loader)
    try:
        return iter(loader)
    finally:
        for number, handler in zip(numbers, kept, strict=True):
            signal.signal(number, handler)
