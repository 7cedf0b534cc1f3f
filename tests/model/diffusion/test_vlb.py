"""The variational bound and its likelihood against closed forms to fifty digits."""

import mpmath as mp
import numpy as np
import pytest
import torch

from model.diffusion.prediction import Denoised
from model.diffusion.schedule import Schedule, at
from model.diffusion.vlb import discretised_gaussian_log_likelihood, gaussian_kl, variational_bound
from tests.model.diffusion.exact import BOTH, close, exactly, pixels
from tests.model.noisy_frames import FULL, RNG, frames, noise_like


@BOTH
def test_bound_of_every_step_but_the_first(schedule: Schedule):
    """The divergence of two Gaussians with the posterior's means, in bits a dimension."""
    constants, count = exactly(schedule), len(schedule)
    rng = np.random.default_rng(0)
    x0, guessed, x = rng.uniform(-1, 1, (3, count))
    log_variance = np.array(constants.log_variance, float) + rng.normal(0.4, 0.3, count)
    guess = Denoised(
        pixels(guessed, count), pixels(np.zeros(count), count), pixels(log_variance, count)
    )
    every = torch.arange(count)
    found = variational_bound(guess, pixels(x0, count), pixels(x, count), every, schedule)
    expected = []
    for t in range(1, count):
        apart = constants.from_x0[t] * (mp.mpf(x0[t]) - mp.mpf(guessed[t]))
        theirs = mp.exp(mp.mpf(log_variance[t]))
        ratio = constants.variance[t] / theirs
        nats = (ratio - 1 - mp.log(ratio) + apart**2 / theirs) / 2
        expected.append(nats / mp.log(2))
    close(found[1:], expected, 1e-8)


def likelihood(level: int, mean: float, log_scale: float) -> mp.mpf:
    """The mass of a Gaussian in the bin of an 8-bit level, the outermost bins without end."""
    scale, half = mp.exp(mp.mpf(log_scale)), mp.mpf(1) / 255
    value = mp.mpf(level) * 2 / 255 - 1
    above = mp.ncdf((value + half - mean) / scale) if level < 255 else mp.mpf(1)
    below = mp.ncdf((value - half - mean) / scale) if level else mp.mpf(0)
    return above - below


@pytest.mark.parametrize(
    ("mean", "log_scale"), [(0.0, -5.5), (0.3, -4.0), (-0.999, -3.0), (1.2, -2.0), (0.1, 0.7)]
)
def test_likelihood_of_every_level(mean: float, log_scale: float):
    levels = torch.arange(256, dtype=torch.float64) / 127.5 - 1
    found = discretised_gaussian_log_likelihood(
        levels, torch.full_like(levels, mean), torch.full_like(levels, log_scale)
    )
    masses = [likelihood(level, mp.mpf(mean), log_scale) for level in range(256)]
    # Below 1e-12 the mass is taken for 1e-12, so that no gradient is infinite.
    expected = np.array([float(mp.log(max(mass, mp.mpf("1e-12")))) for mass in masses])
    sure = np.array([mass > mp.mpf("1e-7") for mass in masses])
    assert sure.sum() > 3
    np.testing.assert_allclose(found.numpy()[sure], expected[sure], atol=2e-8)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-3)


def test_bound_of_the_first_step_is_the_likelihood_of_the_frame():
    rng = np.random.default_rng(1)
    count = 40
    levels = np.concatenate([[0, 255], rng.integers(0, 256, count - 2)])
    x0 = levels / 127.5 - 1
    guessed = np.clip(x0 + rng.normal(0, 0.01, count), -1, 1)
    log_variance = rng.normal(-9.5, 0.5, count)
    guess = Denoised(
        pixels(guessed, count), pixels(np.zeros(count), count), pixels(log_variance, count)
    )
    x, first = pixels(rng.uniform(-1, 1, count), count), torch.zeros(count, dtype=torch.long)
    found = variational_bound(guess, pixels(x0, count), x, first, FULL)
    # The posterior at the first step is the guess itself.
    expected = [
        -mp.log(max(likelihood(int(level), mp.mpf(mean), log / 2), mp.mpf("1e-12"))) / mp.log(2)
        for level, mean, log in zip(levels, guessed, log_variance, strict=True)
    ]
    close(found, expected, 1e-5, 1e-5)


def test_kl_is_that_of_torch():
    means, logs = RNG.normal(size=(2, 50)), RNG.normal(size=(2, 50))
    normals = [
        torch.distributions.Normal(torch.tensor(mean), torch.tensor(log / 2).exp())
        for mean, log in zip(means, logs, strict=True)
    ]
    expected = torch.distributions.kl_divergence(*normals)
    (m1, m2), (l1, l2) = torch.tensor(means), torch.tensor(logs)
    torch.testing.assert_close(gaussian_kl(m1, l1, m2, l2), expected)


def test_likelihood_stays_finite_where_it_vanishes():
    x = torch.tensor([-1.0, 0.0, 1.0])
    mean = torch.tensor([1.0, 1.0, -1.0], requires_grad=True)
    found = discretised_gaussian_log_likelihood(x, mean, torch.full((3,), -6.0))
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(mean.grad).all()


def test_the_bound_of_a_perfect_guess_is_zero():
    x0 = frames()
    t = torch.tensor([1, 10, 500, 999])
    x = FULL.add_noise(x0, noise_like(x0), t)
    log_variance = at(FULL.log_posterior_variance, t, x).expand_as(x)
    bound = variational_bound(Denoised(x0, x, log_variance), x0, x, t, FULL)
    torch.testing.assert_close(bound, torch.zeros(4, dtype=torch.float64), atol=1e-12, rtol=0)
