"""Shards to training batches, as a stream: a frame, what it is drawn from, and its mouth box."""

from __future__ import annotations

import itertools
import signal
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from pipeline.mouth import MOUTH
from pipeline.sample import Sample, from_members
from pipeline.shards import read_tar, shard_paths

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor

    from model.unet import UNetConfig

_OPEN_CLIPS = 48  # clips that a batch's frames are drawn from; about 30 MB at 128 x 128


@dataclass(frozen=True)
class Batch:
    """Training frames.

    Attributes:
        target: (B, 3, S, S) uint8.
        identity: (B, 3, S, S) uint8, another frame of the same clip.
        motion: (B, motion_frames x motion_channels, S, S) uint8, oldest first.
        speech: (B, speech_window, F) float32.
        mouth: (B, 4) int64, the mouth box of the target.
        lips: (B, 40) float32, the lip shape of the target, see `lip_shape`.
        keys: of the clips.
    """

    target: Tensor
    identity: Tensor
    motion: Tensor
    speech: Tensor
    mouth: Tensor
    lips: Tensor
    keys: list[str]


def to_unit(pixels: Tensor) -> Tensor:
    """uint8 0 … 255 to float32 -1 … 1."""
    return pixels.float() / 127.5 - 1


def to_pixels(unit: Tensor) -> Tensor:
    """-1 … 1 to uint8 0 … 255, rounded."""
    return ((unit.clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8)


def grey(frames: Tensor) -> Tensor:
    """Luma (BT.601) of (…, 3, S, S) frames, (…, 1, S, S), in their own type and range."""
    weights = torch.tensor([0.299, 0.587, 0.114], device=frames.device).reshape(3, 1, 1)
    luma = (frames.float() * weights).sum(-3, keepdim=True)
    return luma.round().to(torch.uint8) if frames.dtype == torch.uint8 else luma.to(frames.dtype)


def speech_windows(features: NDArray[np.float32], context: int) -> NDArray[np.float32]:
    """Features of frames k - context … k + context of every frame k, edges repeated (m_y).

    Args:
        features: (T, F).
        context: frames on either side.

    Returns:
        (T, 2 context + 1, F).
    """
    length = len(features)
    wanted = np.arange(length)[:, None] + np.arange(-context, context + 1)
    return features[np.clip(wanted, 0, length - 1)]


def training_frame(
    sample: Sample, target: int, identity: int, config: UNetConfig, *, drop_motion: bool
) -> dict[str, Any]:
    """One training frame of a clip.

    Args:
        sample: the clip.
        target: index of the frame to draw.
        identity: index of another frame of the clip.
        config: of the network.
        drop_motion: replace the motion frames by the identity frame.
    """
    size = config.image_size
    identity_frame = _frame(sample, identity, size)
    # Before the first frame there is none: the identity frame stands in, as in sampling.
    before = [
        identity_frame if drop_motion or index < 0 else _frame(sample, index, size)
        for index in range(target - config.motion_frames, target)
    ]
    motion = torch.stack(before)
    context = config.speech_context
    near = np.clip(np.arange(target - context, target + context + 1), 0, len(sample.frames) - 1)
    scale = size / sample.meta["image_size"]
    return {
        "target": _frame(sample, target, size),
        "identity": identity_frame,
        "motion": (motion if config.motion_channels == 3 else grey(motion)).flatten(0, 1),
        "speech": torch.from_numpy(sample.speech[near]),
        "mouth": torch.from_numpy(scaled_box(sample.mouth[target], scale, size)),
        "lips": torch.from_numpy(lip_shape(sample, target)),
        "keys": sample.key,
    }


def lip_shape(sample: Sample, index: int) -> NDArray[np.float32]:
    """What the lips of a frame do: landmarks 48 … 67 against their mean over the clip.

    Returns:
        (40,) float32, x and y of each point in units of 2 % of the side, about one standard
        deviation of speech.
    """
    lips = sample.landmarks[:, MOUTH]
    unit = 0.02 * sample.meta["image_size"]
    return ((lips[index] - lips.mean(0)) / unit).ravel().astype(np.float32)


def scaled_box(box: NDArray[np.int16], scale: float, size: int) -> NDArray[np.int64]:
    """A half-open box at another image size: no part of the mouth is lost to rounding."""
    low = np.floor(box[:2] * scale)
    high = np.maximum(np.ceil(box[2:] * scale), low + 1)
    return np.clip(np.concatenate([low, high]), 0, size).astype(np.int64)


def _frame(sample: Sample, index: int, size: int) -> Tensor:
    return as_tensor(sample.frames[index], size)


def as_tensor(frame: NDArray[np.uint8], size: int) -> Tensor:
    """(H, W, 3) uint8 to (3, size, size) uint8, averaged when it shrinks."""
    if len(frame) != size:
        method = cv2.INTER_AREA if len(frame) > size else cv2.INTER_CUBIC
        frame = cast("NDArray[np.uint8]", cv2.resize(frame, (size, size), interpolation=method))
    return torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))


class TrainingFrames(IterableDataset[dict[str, Any]]):
    """An endless stream of training frames.

    Clips are read in shard order, shards in a random order that changes every epoch. A few dozen
    clips are kept open; each frame comes from a random one of them, and a clip that has given its
    frames makes room for the next. The order depends on the seed and the worker alone.

    Args:
        folder: a data set.
        config: of the network.
        seed: of the order.
        frames_per_clip: frames drawn each time a clip is read.
        drop_motion: share of frames whose motion frames are replaced by the identity frame.
        split: of the data set.
    """

    def __init__(
        self,
        folder: Path,
        config: UNetConfig,
        *,
        seed: int,
        frames_per_clip: int,
        drop_motion: float,
        split: str = "train",
    ) -> None:
        self._paths = shard_paths(folder, split)
        self._config = config
        self._seed = seed
        self._frames_per_clip = frames_per_clip
        self._drop_motion = drop_motion

    def __iter__(self) -> Iterator[dict[str, Any]]:
        info = get_worker_info()
        worker, workers = (info.id, info.num_workers) if info else (0, 1)
        rng = np.random.default_rng([self._seed, worker])
        clips = self._clips(worker, workers)
        open_clips: deque[tuple[Sample, int]] = deque()
        while True:
            while len(open_clips) < _OPEN_CLIPS:
                open_clips.append((next(clips), self._frames_per_clip))
            place = int(rng.integers(len(open_clips)))
            sample, left = open_clips[place]
            length = len(sample.frames)
            target = int(rng.integers(length))
            identity = int((target + rng.integers(1, length)) % length) if length > 1 else 0
            drop = bool(rng.random() < self._drop_motion)
            yield training_frame(sample, target, identity, self._config, drop_motion=drop)
            if left > 1:
                open_clips[place] = (sample, left - 1)
            else:
                del open_clips[place]

    def _clips(self, worker: int, workers: int) -> Iterator[Sample]:
        """Clips without end; workers take turns, counted on over shards and epochs.

        So every worker has its share of few clips too, be they fewer than workers.
        """
        read = 0
        for epoch in itertools.count():
            order = np.random.default_rng([self._seed, epoch]).permutation(len(self._paths))
            for place in order:
                for key, members in read_tar(self._paths[place]):
                    if read % workers == worker:
                        yield from_members(key, members)
                    read += 1


def _collate(frames: list[dict[str, Any]]) -> Batch:
    stacked = {
        name: torch.stack([frame[name] for frame in frames]) for name in frames[0] if name != "keys"
    }
    return Batch(**stacked, keys=[frame["keys"] for frame in frames])


def batches(frames: TrainingFrames, batch_size: int, *, workers: int, pin: bool) -> DataLoader[Any]:
    """Batches without end, read ahead by `workers` processes (0: in this one)."""
    return DataLoader(
        frames,
        batch_size=batch_size,
        num_workers=workers,
        collate_fn=_collate,
        pin_memory=pin,
        prefetch_factor=4 if workers else None,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
        worker_init_fn=_leave_signals if workers else None,
    )


def _leave_signals(_worker: int) -> None:
    """Ctrl-C reaches a whole process group: readers stay, so that the loop can end and save."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
