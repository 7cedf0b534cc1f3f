"""A training frame: the frame itself, what it is drawn from, and its mouth box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config.architecture import UNetConfig
from model.config.recipe import Augmentation, TrainConfig
from model.data.augmentation import ClipChange
from model.data.motion_corruption import corrupt
from pipeline.dataset.sample import Sample
from pipeline.faces.mouth_box import MOUTH
from pipeline.media.image import resize


@dataclass(frozen=True)
class Batch:
    """Training frames."""

    target: Tensor  # (B, 3, S, S) uint8
    identity: Tensor  # (B, 3, S, S) uint8, another frame of the same clip
    motion: Tensor  # (B, motion_frames x motion_channels, S, S) uint8, oldest first
    speech: Tensor  # (B, speech_window, F) float32
    mouth: Tensor  # (B, 4) int64, the mouth box that the lip loss looks at
    lips: Tensor  # (B, 40) float32, the lip shape of the target, see `lip_shape`
    level: Tensor  # (B,) float32, how far the motion frames are corrupted, 0 … 1
    seed: Tensor  # (B,) int64, of everything that is drawn for the frame later
    keys: list[str]  # of the clips

    def __len__(self) -> int:
        return len(self.keys)

    def to(self, device: torch.device) -> Batch:
        """The same on a device."""
        moved = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if name != "keys"
        }
        return Batch(**moved, keys=self.keys)

    def parts(self, count: int) -> list[Batch]:
        """`count` batches of equal size, in order."""
        size = len(self) // count
        return [
            Batch(**{name: value[begin : begin + size] for name, value in vars(self).items()})
            for begin in range(0, size * count, size)
        ]


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


@dataclass(frozen=True)
class FrameChoice:
    """Which training frame of a clip, as shares that do not depend on its length."""

    target: float  # 0 … 1 along the clip
    identity: float  # 0 … 1 along the clip's other frames
    drop: float  # motion frames are dropped where this, 0 … 1, lies below the recipe's share
    level: float  # how far the motion frames are corrupted, 0 … 1
    seed: int  # of everything else that is drawn for the frame


def training_frame(
    sample: Sample, choice: FrameChoice, config: UNetConfig, recipe: TrainConfig
) -> Batch:
    """One training frame of a clip, as a batch of one without its first axis."""
    size, length = config.image_size, len(sample.frames)
    change: ClipChange | None = None
    if recipe.augmentation != Augmentation():
        # A generator of its own: the motion frames' damage is drawn from the seed itself.
        rng = np.random.default_rng([choice.seed, 1])
        change = ClipChange.drawn(recipe.augmentation, size, rng)

    def picture(index: int) -> NDArray[np.uint8]:
        frame = resize(sample.frames[index], (size, size))
        return change.frame(frame) if change else frame

    # Which frames: the target, another one for the identity, and those before the target.
    target = int(choice.target * length)
    identity = (target + 1 + int(choice.identity * (length - 1))) % length
    identity_frame = picture(identity)
    drop = choice.drop < recipe.drop_motion
    # Where no frame lies before the target, the identity frame stands in, as in sampling.
    before = [
        identity_frame if drop or index < 0 else picture(index)
        for index in range(target - config.motion_frames, target)
    ]

    # The motion frames, corrupted.
    level = choice.level if recipe.motion.any else 0.0
    if level:
        before = corrupt(before, recipe.motion, level, np.random.default_rng(choice.seed))
    motion = torch.stack([_tensor(frame) for frame in before])  # (motion_frames, 3, S, S)

    # The speech around the target, edges repeated (m_y), and the mouth box.
    context = config.speech_context
    window = np.clip(np.arange(target - context, target + context + 1), 0, length - 1)
    speech = sample.speech[window]
    box = scaled_box(
        sample.mouth[target if recipe.mouth_box == "target" else identity],
        size / sample.meta["image_size"],
        size,
    )
    lips = lip_shape(sample, target)
    if change:
        box, lips = change.box(box, size), change.lips(lips)
        if sample.meta["options"]["speech"] == "mfcc":
            speech = change.mfcc(speech)
    return Batch(
        target=_tensor(picture(target)),
        identity=_tensor(identity_frame),
        motion=(motion if config.motion_channels == 3 else grey(motion)).flatten(0, 1),
        speech=torch.from_numpy(speech),
        mouth=torch.from_numpy(box),
        lips=torch.from_numpy(lips),
        level=torch.tensor(level),
        seed=torch.tensor(choice.seed),
        keys=[sample.key],
    )


def collate(frames: list[Batch]) -> Batch:
    """Training frames as a batch."""
    stacked = {
        name: torch.stack([getattr(frame, name) for frame in frames])
        for name in vars(frames[0])
        if name != "keys"
    }
    return Batch(**stacked, keys=[key for frame in frames for key in frame.keys])


def lip_shape(sample: Sample, index: int) -> NDArray[np.float32]:
    """(40,) what the lips of a frame do: landmarks 48 … 67 against their mean over the clip.

    x and y of each point in units of 2 % of the side, about one standard deviation of speech.
    """
    lips = sample.landmarks[:, MOUTH]
    unit = 0.02 * sample.meta["image_size"]
    return ((lips[index] - lips.mean(0)) / unit).ravel().astype(np.float32)


def scaled_box(box: NDArray[np.int16], scale: float, size: int) -> NDArray[np.int64]:
    """A half-open box at another image size: no part of the mouth is lost to rounding."""
    low = np.floor(box[:2] * scale)
    high = np.maximum(np.ceil(box[2:] * scale), low + 1)
    return np.clip(np.concatenate([low, high]), 0, size).astype(np.int64)


def as_tensor(frame: NDArray[np.uint8], size: int) -> Tensor:
    """(H, H, 3) uint8 to (3, size, size) uint8, averaged when it shrinks."""
    return _tensor(resize(frame, (size, size)))


def _tensor(frame: NDArray[np.uint8]) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(frame.transpose(2, 0, 1)))
