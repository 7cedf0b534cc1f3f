"""The training loss of a batch: what data parallelism and the compiler wrap."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.config.presets import Preset
from model.data.training_frame import Batch, to_unit
from model.diffusion.identity_prior import diffusion_schedule, prior_of
from model.diffusion.losses import diffusion_losses
from model.network.talking_head import Conditions, TalkingHead


@dataclass(frozen=True)
class BatchLosses:
    """The loss of a batch and its terms."""

    total: Tensor  # () what is minimised
    # each term before its weight, (B,), by name: those of `diffusion_losses` and, if the recipe has
    # it, `reading`
    by_frame: dict[str, Tensor]
    t: Tensor  # (B,) the diffusion step that each frame was noised to


class SeededNoise:
    """Random numbers for each frame of a batch from a generator of its own, by (B,) int64 seeds.

    A frame has the same noise in any batch, on any worker and after resuming; no generator's state
    is saved. Other devices draw other numbers.
    """

    def __init__(self, seeds: Tensor, device: torch.device) -> None:
        self._generators = [torch.Generator(device).manual_seed(seed) for seed in seeds.tolist()]

    def normal(self, *shape: int) -> Tensor:
        """(B, *shape) standard normal."""
        drawn = (torch.randn(shape, generator=g, device=g.device) for g in self._generators)
        return torch.stack(list(drawn))

    def uniform(self) -> Tensor:
        """(B,) in [0, 1)."""
        drawn = (torch.rand((), generator=g, device=g.device) for g in self._generators)
        return torch.stack(list(drawn))


class Objective(nn.Module):
    """Noise, one call of the network, and the terms of the loss (eq. 19)."""

    def __init__(
        self, model: TalkingHead, preset: Preset, precision: Literal["bf16", "float32"]
    ) -> None:
        super().__init__()
        self.model = model
        self._preset = preset
        self._precision = precision
        self._schedule = diffusion_schedule(preset.diffusion)
        # Data parallelism waits for the gradient of every parameter that requires one.
        model.lip_reader.requires_grad_(preset.train.lambda_lips > 0)

    def forward(self, batch: Batch) -> BatchLosses:
        """The loss of a batch that lies on the network's device."""
        diffusion, recipe = self._preset.diffusion, self._preset.train

        # What the frame is noised with and to which step, from its own seed.
        target = to_unit(batch.target)  # (B, 3, S, S) in [-1, 1]
        noise = SeededNoise(batch.seed, target.device)
        steps = len(self._schedule)
        share = noise.uniform() ** recipe.timestep_power
        t = (share * steps).long().clamp(max=steps - 1)  # (B,); a power may round to 1
        epsilon = noise.normal(*target.shape[1:])  # (B, 3, S, S)
        conditions = self._conditions(batch, noise)

        # One call of the network, and the terms of the diffusion's loss.
        def network(x: Tensor, steps: Tensor) -> Tensor:
            with torch.autocast(
                target.device.type, torch.bfloat16, enabled=self._precision == "bf16"
            ):
                output: Tensor = self.model(x, steps, conditions)  # (B, 6, S, S)
            return output

        prior = prior_of(conditions.identity, diffusion)
        by_frame = diffusion_losses(  # (B,) each
            network, target, batch.mouth, t, epsilon, self._schedule, diffusion, prior
        )
        bound, lip = diffusion.lambda_vlb * by_frame["vlb"], diffusion.lambda_ls * by_frame["lip"]
        total = (by_frame["simple"] + bound + lip).mean()  # eq. 19

        # The auxiliary loss: the lip shape read off the target's own speech embedding.
        if recipe.lambda_lips:
            features = conditions.speech[:, conditions.speech.shape[1] // 2]  # (B, F), the target's
            shape = self.model.lip_reader(self.model.speech_encoder(features))  # (B, 40)
            by_frame["reading"] = F.mse_loss(shape, batch.lips, reduction="none").mean(1)
            total = total + recipe.lambda_lips * by_frame["reading"].mean()
        return BatchLosses(total, by_frame, t)

    def _conditions(self, batch: Batch, noise: SeededNoise) -> Conditions:
        """Identity, motion frames and speech, with the noise that the recipe adds to them."""
        recipe = self._preset.train
        motion = to_unit(batch.motion)  # (B, motion_frames x motion_channels, S, S)
        if recipe.motion.noise:
            level = recipe.motion.noise * batch.level[:, None, None, None]
            motion = motion + level * noise.normal(*motion.shape[1:])
        speech = batch.speech  # (B, speech_window, F)
        if recipe.speech_noise:
            std = self.model.speech_encoder.std  # (C,)
            windows = speech.reshape(*speech.shape[:-1], -1, len(std))  # (B, speech_window, F/C, C)
            common = noise.normal(1, 1, len(std))
            added = noise.normal(*windows.shape[1:]) + 0.5 * common
            speech = (windows + recipe.speech_noise * std * added).flatten(-2)
        level_input = batch.level if recipe.motion.level_as_input else None
        return Conditions(to_unit(batch.identity), motion, speech, level_input)
