"""Between the network's output, the clean frame x0 and the noise ε: the only place that converts.

A network predicts the noise ε (the paper) or v = √ᾱ ε - √(1-ᾱ) x0 (Salimans and Ho, 2022). Losses
and samplers see x0, ε and the variance alone, whatever is predicted.
"""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from model.config.architecture import Prediction
from model.diffusion.identity_prior import IdentityPrior
from model.diffusion.schedule import Schedule, at


@dataclass(frozen=True)
class Denoised:
    """What a network's output says about a noisy frame."""

    x0: Tensor  # (B, 3, S, S) the clean frame, clamped to [-1, 1], or its residual
    epsilon: Tensor  # (B, 3, S, S) the noise that goes with that x0
    log_variance: Tensor  # (B, 3, S, S) of the reverse step, log Σ (eq. 13).


# The network with its conditions bound: noisy frames and the index of the step in the schedule.
Denoise = Callable[[Tensor, int], Denoised]


def denoise_output(
    output: Tensor,
    x: Tensor,
    t: Tensor | int,
    schedule: Schedule,
    prediction: Prediction,
    prior: IdentityPrior | None = None,
) -> Denoised:
    """The clean frame, the noise and the variance that a network's output stands for.

    The (B, 6, S, S) output is the prediction, then the channels that ν is read from; x are the
    (B, 3, S, S) noisy frames, t (B,) indices into `schedule`, or one for all. With a prior, frames
    are given as residuals, see `model.diffusion.identity_prior`.
    """
    predicted, variance = output.float().chunk(2, dim=1)  # (B, 3, S, S) each
    signal = at(schedule.alpha_bar.sqrt(), t, x)
    noise = at((1 - schedule.alpha_bar).sqrt(), t, x)
    if prediction == "epsilon":
        x0 = (x - noise * predicted) / signal
    else:
        x0 = signal * x - noise * predicted
    x0 = x0.clamp(-1, 1) if prior is None else x0.clamp(*prior.limits)
    # log Σ lies between those of β̃ and β, at the share ν.
    nu = (variance + 1) / 2
    low = at(schedule.log_posterior_variance, t, x)
    high = at(schedule.beta.log(), t, x)
    return Denoised(x0, (x - signal * x0) / noise, nu * high + (1 - nu) * low)


def prediction_target(
    x0: Tensor, noise: Tensor, t: Tensor, schedule: Schedule, prediction: Prediction
) -> Tensor:
    """What the network should predict, (B, 3, S, S); the arguments as in `denoise_output`."""
    if prediction == "epsilon":
        return noise
    signal, spread = schedule.alpha_bar.sqrt(), (1 - schedule.alpha_bar).sqrt()
    return at(signal, t, x0) * noise - at(spread, t, x0) * x0
