"""Samplers: from noise to a frame. One signature, each as its paper writes it.

A sampler walks a schedule from its last step to its first. `denoise` is the network with its
conditions bound, (x, index of the step in the schedule) -> (B, 6, S, S); `x` is where the walk
begins, noise or a noisy frame; `noise` gives standard normal tensors of its shape, drawn for each
clip from its own generator, so that a clip comes out the same alone or in a batch.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal, Protocol

from model.diffusion.process import denoised

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from model.config.architecture import Prediction
    from model.diffusion.process import Schedule

SamplerName = Literal["ancestral", "ddim", "dpm", "sde"]
SamplerChoice = Literal["auto", "ancestral", "ddim", "dpm", "sde"]


class Sampler(Protocol):
    """What every sampler is."""

    def __call__(
        self,
        denoise: Callable[[Tensor, int], Tensor],
        x: Tensor,
        noise: Callable[[], Tensor],
        schedule: Schedule,
        prediction: Prediction,
    ) -> Tensor:
        """Draws (B, 3, S, S) frames in [-1, 1]."""
        ...


def ancestral(
    denoise: Callable[[Tensor, int], Tensor],
    x: Tensor,
    noise: Callable[[], Tensor],
    schedule: Schedule,
    prediction: Prediction,
) -> Tensor:
    """DDPM with learned variance on the given steps (the paper's; Nichol and Dhariwal 2021)."""
    for index in reversed(range(len(schedule))):
        guess = denoised(denoise(x, index), x, index, schedule, prediction)
        x = schedule.posterior_mean(guess.x0, x, index)
        if index:
            x = x + (0.5 * guess.log_variance).exp() * noise()
    return x


def ddim(
    denoise: Callable[[Tensor, int], Tensor],
    x: Tensor,
    noise: Callable[[], Tensor],  # noqa: ARG001 - none is drawn
    schedule: Schedule,
    prediction: Prediction,
) -> Tensor:
    """DDIM without noise between steps, η = 0 (Song et al. 2021, eq. 12)."""
    for index in reversed(range(len(schedule))):
        guess = denoised(denoise(x, index), x, index, schedule, prediction)
        before = float(schedule.alpha_bar_previous[index])
        x = before**0.5 * guess.x0 + (1 - before) ** 0.5 * guess.epsilon
    return x


def dpm(
    denoise: Callable[[Tensor, int], Tensor],
    x: Tensor,
    noise: Callable[[], Tensor],  # noqa: ARG001 - none is drawn
    schedule: Schedule,
    prediction: Prediction,
) -> Tensor:
    """DPM-Solver++(2M), second order, data prediction (Lu et al. 2022, algorithm 2)."""
    signal, spread, half_log_snr = _logarithmic(schedule)
    previous: Tensor | None = None
    for index in reversed(range(len(schedule))):
        x0 = denoised(denoise(x, index), x, index, schedule, prediction).x0
        if not index:
            return x0  # without noise the exact solution is the guess itself
        step = half_log_snr[index - 1] - half_log_snr[index]
        direction = _extrapolated(x0, previous, half_log_snr, index)
        shrink = spread[index - 1] / spread[index]
        x = shrink * x - signal[index - 1] * math.expm1(-step) * direction
        previous = x0
    raise ValueError("the schedule has no step")


def sde(
    denoise: Callable[[Tensor, int], Tensor],
    x: Tensor,
    noise: Callable[[], Tensor],
    schedule: Schedule,
    prediction: Prediction,
) -> Tensor:
    """SDE-DPM-Solver++(2M): the second-order solver with noise between steps (Lu et al. 2022, §5).

    Like the ancestral sampler it forgets at every step some of what went wrong before, and takes
    as few steps as `dpm`; the learned variance is not used.
    """
    signal, spread, half_log_snr = _logarithmic(schedule)
    previous: Tensor | None = None
    for index in reversed(range(len(schedule))):
        x0 = denoised(denoise(x, index), x, index, schedule, prediction).x0
        if not index:
            return x0
        step = half_log_snr[index - 1] - half_log_snr[index]
        direction = _extrapolated(x0, previous, half_log_snr, index)
        fresh = -math.expm1(-2 * step)  # share of the noise that is drawn anew
        shrink = spread[index - 1] / spread[index] * math.exp(-step)
        x = shrink * x + signal[index - 1] * fresh * direction
        x = x + spread[index - 1] * fresh**0.5 * noise()
        previous = x0
    raise ValueError("the schedule has no step")


def _logarithmic(schedule: Schedule) -> tuple[list[float], list[float], list[float]]:
    """√ᾱ, √(1-ᾱ) and the logarithm of their ratio, in which the second-order solvers step."""
    signal, spread = schedule.alpha_bar.sqrt(), (1 - schedule.alpha_bar).sqrt()
    return signal.tolist(), spread.tolist(), (signal / spread).log().tolist()


def _extrapolated(
    x0: Tensor, previous: Tensor | None, half_log_snr: list[float], index: int
) -> Tensor:
    """The guess at the middle of the step, on the line through the last two guesses.

    The line is followed no further than half a step as long as the last: towards t = 0 the steps
    in log SNR grow severalfold from one to the next, and the plain rule overshoots there (at 10-20
    steps it is worse than DDIM).
    """
    if previous is None:
        return x0
    step = half_log_snr[index - 1] - half_log_snr[index]
    last = half_log_snr[index] - half_log_snr[index + 1]
    return x0 + (x0 - previous) * min(step / (2 * last), 0.5)


SAMPLERS: dict[str, Sampler] = {
    "ancestral": ancestral,
    "ddim": ddim,
    "dpm": dpm,
    "sde": sde,
}
