"""A network that writes down what it is shown, and short videos drawn by one."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config.presets import Preset
from model.data.training_frame import to_unit
from model.diffusion.schedule import Schedule, cosine_schedule, respace
from model.network.talking_head import TalkingHead
from model.sampling.autoregressive import generate_frames, make_denoiser
from model.sampling.sample_config import SampleConfig

ONE_STEP = SampleConfig("ddim", steps=1, noise_correlation=0)
FEATURES = 234


@dataclass(frozen=True)
class Shown:
    """What a frame is drawn from."""

    identity: Tensor
    motion: Tensor
    speech: Tensor


class Recorder:
    """Draws frame k of clip i evenly in the colour 10 i + 20 k + (0, 1, 2); notes what it saw."""

    def __init__(self, schedule: Schedule | None = None) -> None:
        self.schedule = schedule or respace(cosine_schedule(), 1)
        self.device = torch.device("cpu")
        self.noise: list[Tensor] = []
        self.seen: list[Shown] = []

    def encode_identity(self, identity: Tensor) -> Tensor:
        return identity

    def encode_speech(self, features: Tensor) -> Tensor:
        return features

    def prepare_frame(self, identity: Tensor, motion: Tensor, speech: Tensor) -> Shown:
        self.seen.append(Shown(identity, motion, speech))
        return self.seen[-1]

    def step(self, x: Tensor, index: int, shown: Shown) -> Tensor:
        assert shown is self.seen[-1]
        assert index == 0
        self.noise.append(x)
        x0 = torch.stack([colour(i, len(self.seen) - 1) for i in range(len(x))])
        alpha_bar = float(self.schedule.alpha_bar[0])
        v = (alpha_bar**0.5 * x - x0) / (1 - alpha_bar) ** 0.5
        return torch.cat([v, torch.zeros_like(v)], 1)


def colour(clip: int, k: int) -> Tensor:
    pixels = torch.tensor([0, 1, 2]) + 10 * clip + 20 * k
    return to_unit(pixels).reshape(3, 1, 1).expand(3, 32, 32)


def faces(count: int) -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, (32, 32, 3), dtype=np.uint8) for _ in range(count)]


def speech(length: int, clip: int = 0) -> NDArray[np.float32]:
    """The features of frame k are 100 clip + k."""
    return (100 * clip + np.arange(length, dtype=np.float32))[:, None] * np.ones(
        (1, FEATURES), np.float32
    )


def draw(
    model: TalkingHead, preset: Preset, lengths: list[int], config: SampleConfig
) -> list[list]:
    """The video of each clip."""
    videos: list[list] = [[] for _ in lengths]
    features = [speech(length, clip) for clip, length in enumerate(lengths)]
    denoiser = make_denoiser(model, preset, config)
    for frames in generate_frames(denoiser, preset, faces(len(lengths)), features, config):
        for video, frame in zip(videos, frames, strict=True):
            if frame is not None:
                video.append(frame)
    return videos
