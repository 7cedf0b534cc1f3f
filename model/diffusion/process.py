"""The diffusion: schedule, forward and reverse process, losses (paper eqs. 1-13, 18, 19)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from model.config.architecture import DiffusionConfig, Prediction

Spacing = Literal["uniform", "quadratic"]


@dataclass(frozen=True)
class Schedule:
    """The constants of a diffusion over K steps, a subset of the full one's or all of them.

    Attributes:
        steps: (K,) int64, the step of the full diffusion that each is; what the network is told.
        alpha_bar: (K,) float64, ᾱ.
    """

    steps: Tensor
    alpha_bar: Tensor

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def alpha_bar_previous(self) -> Tensor:
        """ᾱ of the step before; 1 before the first."""
        return torch.cat([self.alpha_bar.new_ones(1), self.alpha_bar[:-1]])

    @property
    def beta(self) -> Tensor:
        """Variance that each step of the forward process adds."""
        return 1 - self.alpha_bar / self.alpha_bar_previous

    @property
    def posterior_variance(self) -> Tensor:
        """β̃, the variance of q(x_{t-1} | x_t, x_0)."""
        return self.beta * (1 - self.alpha_bar_previous) / (1 - self.alpha_bar)

    @property
    def log_posterior_variance(self) -> Tensor:
        """Logarithm of β̃, which is -inf at t = 0 and takes its value at t = 1 there."""
        variance = self.posterior_variance
        return torch.cat([variance[1:2], variance[1:]]).log() if len(self) > 1 else self.beta.log()

    @property
    def posterior_weights(self) -> tuple[Tensor, Tensor]:
        """Weights of x_0 and of x_t in the mean of q(x_{t-1} | x_t, x_0), (K,) each."""
        before = self.alpha_bar_previous
        from_x0 = self.beta * before.sqrt() / (1 - self.alpha_bar)
        return from_x0, (1 - before) * (1 - self.beta).sqrt() / (1 - self.alpha_bar)

    def posterior_mean(self, x0: Tensor, x: Tensor, t: Tensor | int) -> Tensor:
        """Mean of q(x_{t-1} | x_t, x_0); `t` indexes this schedule."""
        from_x0, from_x = self.posterior_weights
        return at(from_x0, t, x) * x0 + at(from_x, t, x) * x

    def add_noise(self, x0: Tensor, noise: Tensor, t: Tensor | int) -> Tensor:
        """x_t ~ q(x_t | x_0) with the given noise."""
        return (
            at(self.alpha_bar.sqrt(), t, x0) * x0 + at((1 - self.alpha_bar).sqrt(), t, x0) * noise
        )


def at(values: Tensor, t: Tensor | int, like: Tensor) -> Tensor:
    """values[t] in the type of `like`, shaped (B, 1, 1, 1) to multiply it.

    One t for the whole batch gives a scalar on the CPU, which a GPU need not wait for.
    """
    if isinstance(t, int):
        return values[t].to(like.dtype)
    return values.to(like.dtype).to(like.device)[t].reshape(-1, *[1] * (like.ndim - 1))


def cosine_schedule(steps: int = 1000) -> Schedule:
    """ᾱ(t) = cos²((t/T + 0.008) / 1.008 · π/2), with β clipped at 0.999 (Nichol and Dhariwal)."""

    def curve(t: float) -> float:
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    beta = [min(1 - curve((t + 1) / steps) / curve(t / steps), 0.999) for t in range(steps)]
    alpha = 1 - torch.tensor(beta, dtype=torch.float64)
    return Schedule(torch.arange(steps), alpha.cumprod(0))


def respace(schedule: Schedule, count: int, spacing: Spacing = "uniform") -> Schedule:
    """A schedule over `count` of the steps, first and last included.

    The chosen ᾱ stay what they are; β, β̃ and the posterior follow from them.

    Args:
        schedule: the full one.
        count: how many steps to keep.
        spacing: `uniform`, the paper's; `quadratic` (Song et al. 2021, appendix D.2) is denser at
            low noise, where few even steps would leave grain.

    Raises:
        ValueError: count is not in 1 … K.
    """
    length = len(schedule)
    if not 1 <= count <= length:
        raise ValueError(f"{count} steps asked for; choose 1 to {length}")
    if count == 1:
        chosen = torch.tensor([length - 1])
    else:
        share = torch.linspace(0, 1, count, dtype=torch.float64)
        wanted = (share if spacing == "uniform" else share**2) * (length - 1)
        # Quadratic steps crowd together at the low end; none is taken twice, none is lost.
        chosen = wanted.round().long()
        for index in range(1, count):
            chosen[index] = torch.maximum(chosen[index], chosen[index - 1] + 1)
    return Schedule(schedule.steps[chosen], schedule.alpha_bar[chosen])


@dataclass(frozen=True)
class Denoised:
    """What a network's output says about a noisy frame.

    Attributes:
        x0: the clean frame, clamped to [-1, 1].
        epsilon: the noise that goes with that x0.
        log_variance: of the reverse step, log Σ (eq. 13).
    """

    x0: Tensor
    epsilon: Tensor
    log_variance: Tensor


def denoised(
    output: Tensor, x: Tensor, t: Tensor | int, schedule: Schedule, prediction: Prediction
) -> Denoised:
    """Reads a network's output.

    Args:
        output: (B, 6, S, S): the prediction of `prediction`, and the output ν is read from.
        x: (B, 3, S, S) the noisy frames.
        t: (B,) indices into `schedule`, or one for all.
        schedule: the steps that are walked.
        prediction: what the first three channels are.
    """
    target, v = output.float().chunk(2, dim=1)
    signal = at(schedule.alpha_bar.sqrt(), t, x)
    noise = at((1 - schedule.alpha_bar).sqrt(), t, x)
    x0 = (x - noise * target) / signal if prediction == "epsilon" else signal * x - noise * target
    x0 = x0.clamp(-1, 1)
    nu = (v + 1) / 2
    low = at(schedule.log_posterior_variance, t, x)
    high = at(schedule.beta.log(), t, x)
    return Denoised(x0, (x - signal * x0) / noise, nu * high + (1 - nu) * low)


def target_of(
    x0: Tensor, noise: Tensor, t: Tensor, schedule: Schedule, prediction: Prediction
) -> Tensor:
    """What the network should have predicted: ε, or v = √ᾱ ε - √(1-ᾱ) x0."""
    if prediction == "epsilon":
        return noise
    signal, spread = schedule.alpha_bar.sqrt(), (1 - schedule.alpha_bar).sqrt()
    return at(signal, t, x0) * noise - at(spread, t, x0) * x0


@dataclass(frozen=True)
class Losses:
    """Each part of the loss for each frame of the batch, (B,), before its weight.

    Attributes:
        simple: mean squared error of the prediction.
        vlb: variational bound in bits per dimension.
        lip: mean squared error of the prediction inside the mouth box (eq. 18).
    """

    simple: Tensor
    vlb: Tensor
    lip: Tensor

    def total(self, config: DiffusionConfig) -> Tensor:
        """L_simple + λ_vlb L_vlb + λ_ls L_ls (eq. 19), averaged over the batch."""
        weighted = self.simple + config.lambda_vlb * self.vlb + config.lambda_ls * self.lip
        return weighted.mean()


def losses(
    network: Callable[[Tensor, Tensor], Tensor],
    x0: Tensor,
    mouth: Tensor,
    t: Tensor,
    noise: Tensor,
    schedule: Schedule,
    config: DiffusionConfig,
) -> Losses:
    """The parts of the training loss.

    Args:
        network: (x_t, step) -> (B, 6, S, S), the conditions already bound.
        x0: (B, 3, S, S) clean target frames in [-1, 1].
        mouth: (B, 4) x0 y0 x1 y1 of the mouth in the TARGET frames, half open. (The released
            loader takes the identity frame's box by mistake.)
        t: (B,) steps.
        noise: (B, 3, S, S) standard normal.
        schedule: the full schedule.
        config: weights and prediction.
    """
    x = schedule.add_noise(x0, noise, t)
    output = network(x, schedule.steps.to(t.device)[t]).float()
    target = target_of(x0, noise, t, schedule, config.prediction)
    error = (output[:, :3] - target) ** 2
    mask = box_mask(mouth, x0.shape[-1])
    lip = (error * mask).sum((1, 2, 3)) / (3 * mask.sum((1, 2, 3)))
    # The bound trains ν alone; through the mean it would only add noise to the gradient.
    detached = torch.cat([output[:, :3].detach(), output[:, 3:]], dim=1)
    bound = variational_bound(
        denoised(detached, x, t, schedule, config.prediction), x0, x, t, schedule
    )
    return Losses(error.mean((1, 2, 3)), bound, lip)


def box_mask(boxes: Tensor, size: int) -> Tensor:
    """(B, 4) half-open boxes x0 y0 x1 y1 to (B, 1, S, S) masks of ones and zeros."""
    at_pixel = torch.arange(size, device=boxes.device)
    x0, y0, x1, y1 = boxes[:, :, None].unbind(1)
    columns = (at_pixel >= x0) & (at_pixel < x1)
    rows = (at_pixel >= y0) & (at_pixel < y1)
    return (rows[:, :, None] & columns[:, None, :])[:, None].float()


def variational_bound(
    guess: Denoised, x0: Tensor, x: Tensor, t: Tensor, schedule: Schedule
) -> Tensor:
    """L_vlb in bits per dimension, (B,): KL for t > 0, discretised Gaussian NLL at t = 0."""
    true_mean = schedule.posterior_mean(x0, x, t)
    mean = schedule.posterior_mean(guess.x0, x, t)
    true_log_variance = at(schedule.log_posterior_variance, t, x)
    kl = gaussian_kl(true_mean, true_log_variance, mean, guess.log_variance)
    nll = -discretised_gaussian_log_likelihood(x0, mean, 0.5 * guess.log_variance)
    picked = torch.where(t.reshape(-1, 1, 1, 1) == 0, nll, kl)
    return picked.mean((1, 2, 3)) / math.log(2)


def gaussian_kl(
    mean1: Tensor, log_variance1: Tensor, mean2: Tensor, log_variance2: Tensor
) -> Tensor:
    """KL(N1 || N2) of each element, in nats."""
    difference = log_variance1 - log_variance2
    return 0.5 * (difference.exp() - 1 - difference + (mean1 - mean2) ** 2 * (-log_variance2).exp())


def discretised_gaussian_log_likelihood(x: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Log likelihood of 8-bit values under a Gaussian, in nats (Ho et al. 2020, eq. 13).

    Args:
        x: values k / 127.5 - 1 for k = 0 … 255; the outermost bins reach to infinity.
        mean: of the Gaussian.
        log_scale: logarithm of its standard deviation.
    """
    centred, inverse = x - mean, (-log_scale).exp()
    above, below = inverse * (centred + 1 / 255), inverse * (centred - 1 / 255)
    cdf_above, cdf_below = torch.special.ndtr(above), torch.special.ndtr(below)
    log_above = cdf_above.clamp_min(1e-12).log()
    log_not_below = (1 - cdf_below).clamp_min(1e-12).log()
    log_between = (cdf_above - cdf_below).clamp_min(1e-12).log()
    inner = torch.where(x > 0.999, log_not_below, log_between)
    return torch.where(x < -0.999, log_above, inner)
