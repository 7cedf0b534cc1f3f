"""The ancestral sampler of DDPM: the paper's."""

from collections.abc import Callable

from torch import Tensor

from model.diffusion.prediction import Denoise
from model.diffusion.schedule import Schedule


def ancestral(
    denoise: Denoise, x: Tensor, noise: Callable[[], Tensor], schedule: Schedule
) -> Tensor:
    """DDPM with learned variance on the given steps (the paper's; Nichol and Dhariwal 2021)."""
    for index in reversed(range(len(schedule))):
        estimate = denoise(x, index)
        x = schedule.posterior_mean(estimate.x0, x, index)
        if index:
            x = x + (0.5 * estimate.log_variance).exp() * noise()
    return x
