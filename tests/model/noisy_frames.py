"""What tests of the diffusion share: the full schedule, and random frames in float64."""

import numpy as np
import torch

from model.diffusion.schedule import cosine_schedule

FULL = cosine_schedule()
RNG = np.random.default_rng(0)


def frames(*, batch: int = 4, size: int = 6, scale: float = 0.5) -> torch.Tensor:
    return torch.from_numpy(RNG.uniform(-scale, scale, (batch, 3, size, size)))


def noise_like(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(RNG.standard_normal(tuple(x.shape)))
