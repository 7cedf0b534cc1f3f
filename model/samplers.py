"""Samplers: from noise to a frame. One signature, each as its paper writes it.

A sampler walks a schedule from its last step to its first. `denoise` is the network with its
conditions bound, (x, steps) -> (B, 6, S, S); `noise` gives standard normal tensors of a frame
batch's shape, drawn for each clip from its own generator, so that a clip comes out the same alone
or in a batch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Protocol

import torch

from model.diffusion import Denoised, denoised

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

    from model.diffusion import Prediction, Schedule

SamplerName = Literal["ancestral", "ddim", "dpm"]


class Sampler(Protocol):
    """What every sampler is."""

    def __call__(
        self,
        denoise: Callable[[Tensor, Tensor], Tensor],
        noise: Callable[[], Tensor],
        schedule: Schedule,
        prediction: Prediction,
    ) -> Tensor:
        """Draws (B, 3, S, S) frames in [-1, 1]."""
        ...


def _walk(schedule: Schedule, like: Tensor) -> Iterator[tuple[int, Tensor]]:
    """Indices from last to first, and the same as a (B,) tensor."""
    for index in reversed(range(len(schedule))):
        yield index, torch.full((len(like),), index, device=like.device)


def _guess(
    denoise: Callable[[Tensor, Tensor], Tensor],
    x: Tensor,
    t: Tensor,
    schedule: Schedule,
    prediction: Prediction,
) -> Denoised:
    return denoised(denoise(x, schedule.steps.to(x.device)[t]), x, t, schedule, prediction)


def ancestral(
    denoise: Callable[[Tensor, Tensor], Tensor],
    noise: Callable[[], Tensor],
    schedule: Schedule,
    prediction: Prediction,
) -> Tensor:
    """DDPM with learned variance on the given steps (the paper's; Nichol and Dhariwal 2021)."""
    x = noise()
    for index, t in _walk(schedule, x):
        guess = _guess(denoise, x, t, schedule, prediction)
        x = schedule.posterior_mean(guess.x0, x, t)
        if index:
            x = x + (0.5 * guess.log_variance).exp() * noise()
    return x


def ddim(
    denoise: Callable[[Tensor, Tensor], Tensor],
    noise: Callable[[], Tensor],
    schedule: Schedule,
    prediction: Prediction,
) -> Tensor:
    """DDIM without noise between steps, η = 0 (Song et al. 2021, eq. 12)."""
    x = noise()
    for index, t in _walk(schedule, x):
        guess = _guess(denoise, x, t, schedule, prediction)
        before = float(schedule.alpha_bar_previous[index])
        x = before**0.5 * guess.x0 + (1 - before) ** 0.5 * guess.epsilon
    return x


def dpm(
    denoise: Callable[[Tensor, Tensor], Tensor],
    noise: Callable[[], Tensor],
    schedule: Schedule,
    prediction: Prediction,
) -> Tensor:
    """DPM-Solver++(2M), second order, data prediction (Lu et al. 2022, algorithm 2).

    The line through the last two guesses is followed no further than half a step as long as the
    last: towards t = 0 the steps in log SNR grow severalfold from one to the next, and the plain
    rule overshoots there (at 10-20 steps it is worse than DDIM).
    """
    x = noise()
    signal, spread = schedule.alpha_bar.sqrt(), (1 - schedule.alpha_bar).sqrt()
    half_log_snr = (signal / spread).log()
    previous: Tensor | None = None
    for index, t in _walk(schedule, x):
        x0 = _guess(denoise, x, t, schedule, prediction).x0
        if not index:
            return x0  # without noise the exact solution is the guess itself
        step = float(half_log_snr[index - 1] - half_log_snr[index])
        direction = x0
        if previous is not None:
            last = float(half_log_snr[index] - half_log_snr[index + 1])
            direction = x0 + (x0 - previous) * min(step / (2 * last), 0.5)
        shrink = float(spread[index - 1] / spread[index])
        x = shrink * x - float(signal[index - 1]) * math.expm1(-step) * direction
        previous = x0
    return x


SAMPLERS: dict[SamplerName, Sampler] = {"ancestral": ancestral, "ddim": ddim, "dpm": dpm}
