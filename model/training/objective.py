"""The training loss of a batch: what data parallelism and the compiler wrap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.data.training_frame import to_unit
from model.diffusion.losses import diffusion_losses
from model.diffusion.schedule import cosine_schedule
from model.network.talking_head import Conditions

if TYPE_CHECKING:
    from model.config.presets import Preset
    from model.data.training_frame import Batch
    from model.network.talking_head import TalkingHead


@dataclass(frozen=True)
class Parts:
    """The loss of a batch and what it is made of.

    Attributes:
        total: () what is minimised.
        by_frame: each part before its weight, (B,), by name: `simple`, `vlb`, `lip` (see
            `model.diffusion.losses.Losses`) and, if the recipe asks for it, `reading`.
        t: (B,) the step of the diffusion that each frame was noised to.
    """

    total: Tensor
    by_frame: dict[str, Tensor]
    t: Tensor


class FrameNoise:
    """Random numbers of each frame of a batch from a generator of its own.

    So a frame is given the same noise whatever batch, worker or machine it is in, and after
    resuming; the state of no generator needs to be kept.

    Args:
        seeds: (B,) int64.
        device: where the numbers are drawn. Other devices draw others.
    """

    def __init__(self, seeds: Tensor, device: torch.device) -> None:
        self._device = device
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds.tolist()]

    def normal(self, *shape: int) -> Tensor:
        """(B, *shape) standard normal."""
        return self._stacked(torch.randn, shape)

    def uniform(self) -> Tensor:
        """(B,) in [0, 1)."""
        return self._stacked(torch.rand, ())

    def _stacked(self, draw: Any, shape: tuple[int, ...]) -> Tensor:
        drawn = [draw(shape, generator=one, device=self._device) for one in self._generators]
        return torch.stack(drawn)


class Objective(nn.Module):
    """Noise, one call of the network, and the parts of the loss (eq. 19).

    Args:
        model: the network that is trained.
        preset: its diffusion and recipe.
        precision: arithmetic of the network.
    """

    def __init__(
        self, model: TalkingHead, preset: Preset, precision: Literal["bf16", "float32"]
    ) -> None:
        super().__init__()
        self.model = model
        self._preset = preset
        self._precision = precision
        self._schedule = cosine_schedule(preset.diffusion.steps)
        # Data parallelism waits for the gradient of all that wants one.
        model.lip_reader.requires_grad_(preset.train.lambda_lips > 0)

    def forward(self, batch: Batch) -> Parts:
        """The loss of a batch that lies on the network's device."""
        diffusion, recipe = self._preset.diffusion, self._preset.train
        target = to_unit(batch.target)
        noise = FrameNoise(batch.seed, target.device)
        t = (noise.uniform() * len(self._schedule)).long()
        drawn = noise.normal(*target.shape[1:])
        conditions = self._conditions(batch, noise)

        def network(x: Tensor, steps: Tensor) -> Tensor:
            with torch.autocast(
                target.device.type, torch.bfloat16, enabled=self._precision == "bf16"
            ):
                output: Tensor = self.model(x, steps, conditions)
            return output

        parts = diffusion_losses(network, target, batch.mouth, t, drawn, self._schedule, diffusion)
        by_frame = {"simple": parts.simple, "vlb": parts.vlb, "lip": parts.lip}
        total = parts.total(diffusion)
        if recipe.lambda_lips:
            by_frame["reading"] = self._lip_reading(conditions, batch.lips)
            total = total + recipe.lambda_lips * by_frame["reading"].mean()
        return Parts(total, by_frame, t)

    def _conditions(self, batch: Batch, noise: FrameNoise) -> Conditions:
        """What the frames are drawn from, disturbed as the recipe asks."""
        recipe = self._preset.train
        motion = to_unit(batch.motion)
        if recipe.motion.noise:
            level = recipe.motion.noise * batch.level[:, None, None, None]
            motion = motion + level * noise.normal(*motion.shape[1:])
        speech = batch.speech
        if recipe.speech_noise:
            std = self.model.speech_encoder.std
            split = speech.reshape(*speech.shape[:-1], -1, len(std))
            common = noise.normal(1, 1, len(std))
            every = noise.normal(*split.shape[1:]) + 0.5 * common
            speech = (split + recipe.speech_noise * std * every).flatten(-2)
        told = batch.level if recipe.motion.level_as_input else None
        return Conditions(to_unit(batch.identity), motion, speech, told)

    def _lip_reading(self, conditions: Conditions, lips: Tensor) -> Tensor:
        """Squared error of the lip shape read off the target's own speech embedding, (B,)."""
        features = conditions.speech[:, conditions.speech.shape[1] // 2]
        shape: Tensor = self.model.lip_reader(self.model.speech_encoder(features))
        return F.mse_loss(shape, lips, reduction="none").mean(1)
