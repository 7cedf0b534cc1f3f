"""DPM-Solver++(2M) and SDE-DPM-Solver++(2M), second order, data prediction (Lu et al. 2022)."""

import math
from collections.abc import Callable

from torch import Tensor

from model.diffusion.prediction import Denoise
from model.diffusion.schedule import Schedule


def dpm(
    denoise: Denoise,
    x: Tensor,
    noise: Callable[[], Tensor],  # noqa: ARG001 - none is drawn
    schedule: Schedule,
) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2)."""
    return _solve(denoise, x, None, schedule)


def sde(denoise: Denoise, x: Tensor, noise: Callable[[], Tensor], schedule: Schedule) -> Tensor:
    """SDE-DPM-Solver++(2M): the second-order solver with noise between steps (Lu et al. 2022, §5).

    Like the ancestral sampler it forgets at every step some of what went wrong before, and takes
    as few steps as `dpm`; the learned variance is not used.
    """
    return _solve(denoise, x, noise, schedule)


def _solve(
    denoise: Denoise, x: Tensor, noise: Callable[[], Tensor] | None, schedule: Schedule
) -> Tensor:
    """Both solvers; without `noise` that of the ordinary differential equation."""
    roots = schedule.alpha_bar.sqrt(), (1 - schedule.alpha_bar).sqrt()
    signal, spread = roots[0].tolist(), roots[1].tolist()
    log_snr = (roots[0] / roots[1]).log().tolist()  # half of it, λ in the paper
    previous: Tensor | None = None
    for index in reversed(range(len(schedule))):
        x0 = denoise(x, index).x0
        if not index:
            return x0  # without noise the exact solution is the estimate itself
        step = log_snr[index - 1] - log_snr[index]
        direction = _midpoint(x0, previous, log_snr, index)
        shrink = spread[index - 1] / spread[index]
        if noise is None:
            x = shrink * x - signal[index - 1] * math.expm1(-step) * direction
        else:
            fresh = -math.expm1(-2 * step)  # share of the noise that is drawn anew
            x = shrink * math.exp(-step) * x + signal[index - 1] * fresh * direction
            x = x + spread[index - 1] * fresh**0.5 * noise()
        previous = x0
    raise ValueError("the schedule has no step")


def _midpoint(x0: Tensor, previous: Tensor | None, log_snr: list[float], index: int) -> Tensor:
    """The estimate at the middle of the step, on the line through the last two estimates.

    The line is followed no further than half a step as long as the last: towards t = 0 the steps
    in log SNR grow severalfold from one to the next, and the plain rule overshoots there.
    """
    if previous is None:
        return x0
    step = log_snr[index - 1] - log_snr[index]
    last = log_snr[index] - log_snr[index + 1]
    return x0 + (x0 - previous) * min(step / (2 * last), 0.5)
