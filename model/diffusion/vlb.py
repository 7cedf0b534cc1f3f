"""The variational bound L_vlb, which trains the learned variance (Nichol and Dhariwal 2021)."""

import math

import torch
from torch import Tensor

from model.diffusion.identity_prior import IdentityPrior
from model.diffusion.prediction import Denoised
from model.diffusion.schedule import Schedule, at


def variational_bound(
    guess: Denoised,
    x0: Tensor,
    x: Tensor,
    t: Tensor,
    schedule: Schedule,
    prior: IdentityPrior | None = None,
) -> Tensor:
    """L_vlb in bits per dimension, (B,): KL for t > 0, discretised Gaussian NLL at t = 0.

    The KL of residuals is that of frames; the likelihood is of frames, whose values are 8-bit.
    """
    true_mean = schedule.posterior_mean(x0, x, t)
    mean = schedule.posterior_mean(guess.x0, x, t)
    true_log_variance = at(schedule.log_posterior_variance, t, x)
    kl = gaussian_kl(true_mean, true_log_variance, mean, guess.log_variance)
    log_scale = 0.5 * guess.log_variance
    if prior is not None:
        x0, mean, log_scale = (
            prior.frames(x0),
            prior.frames(mean),
            log_scale + math.log(prior.scale),
        )
    nll = -discretised_gaussian_log_likelihood(x0, mean, log_scale)
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

    `x` are values k / 127.5 - 1 for k = 0 … 255; the outermost bins reach to infinity.
    """
    centred, inverse = x - mean, (-log_scale).exp()
    above, below = inverse * (centred + 1 / 255), inverse * (centred - 1 / 255)
    cdf_above, cdf_below = torch.special.ndtr(above), torch.special.ndtr(below)
    log_above = cdf_above.clamp_min(1e-12).log()
    log_not_below = (1 - cdf_below).clamp_min(1e-12).log()
    log_between = (cdf_above - cdf_below).clamp_min(1e-12).log()
    inner = torch.where(x > 0.999, log_not_below, log_between)
    return torch.where(x < -0.999, log_above, inner)
