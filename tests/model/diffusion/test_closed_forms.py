"""The diffusion's constants, bound and likelihood against closed forms to fifty digits.

The reference is mpmath: it starts from ᾱ(t) = cos²(…) alone and rounds nothing on the way.
"""

from __future__ import annotations

from functools import cache

import mpmath as mp
import numpy as np
import pytest
import torch

from model.diffusion.prediction import Denoised, denoise_output
from model.diffusion.schedule import Schedule, cosine_schedule, respace
from model.diffusion.vlb import discretised_gaussian_log_likelihood, variational_bound

FULL = cosine_schedule()
SPARSE = respace(FULL, 200)  # the paper's sampling
BOTH = pytest.mark.parametrize("schedule", [FULL, SPARSE], ids=["1000 steps", "200 steps"])
mp.mp.dps = 50


@cache
def alpha_bars() -> list[mp.mpf]:
    """ᾱ of all thousand steps, β clipped at 0.999."""

    def curve(t: int) -> mp.mpf:
        return mp.cos((mp.mpf(t) / 1000 + mp.mpf("0.008")) / mp.mpf("1.008") * mp.pi / 2) ** 2

    products, product = [], mp.mpf(1)
    for t in range(1000):
        product *= 1 - min(1 - curve(t + 1) / curve(t), mp.mpf("0.999"))
        products.append(product)
    return products


class Exact:
    """Everything that follows from the ᾱ of some of the steps, for each of them."""

    def __init__(self, schedule: Schedule) -> None:
        now = [alpha_bars()[step] for step in schedule.steps.tolist()]
        before = [mp.mpf(1), *now[:-1]]
        self.alpha_bar = now
        self.beta = [1 - a / b for a, b in zip(now, before, strict=True)]
        self.variance = [
            beta * (1 - b) / (1 - a) for beta, a, b in zip(self.beta, now, before, strict=True)
        ]
        clipped = [self.variance[1], *self.variance[1:]]
        self.log_variance = [mp.log(value) for value in clipped]
        self.from_x0 = [
            mp.sqrt(b) * beta / (1 - a) for beta, a, b in zip(self.beta, now, before, strict=True)
        ]
        self.from_x = [
            mp.sqrt(1 - beta) * (1 - b) / (1 - a)
            for beta, a, b in zip(self.beta, now, before, strict=True)
        ]


@cache
def exact(name: str) -> Exact:
    return Exact({"full": FULL, "sparse": SPARSE}[name])


def exactly(schedule: Schedule) -> Exact:
    return exact("full" if schedule is FULL else "sparse")


def close(found: torch.Tensor, expected: list[mp.mpf], rtol: float, atol: float = 0) -> None:
    np.testing.assert_allclose(found.numpy(), np.array(expected, dtype=float), rtol=rtol, atol=atol)


def pixels(values: np.ndarray, count: int) -> torch.Tensor:
    """(count, 3, 1, 1) float64."""
    return torch.from_numpy(np.broadcast_to(values.reshape(-1, 1, 1, 1), (count, 3, 1, 1)).copy())


@BOTH
def test_schedule(schedule: Schedule):
    wanted = exactly(schedule)
    close(schedule.alpha_bar, wanted.alpha_bar, 1e-12)
    close(schedule.beta, wanted.beta, 1e-11)


@BOTH
def test_posterior_variance_and_its_clipped_logarithm(schedule: Schedule):
    wanted = exactly(schedule)
    # Of the first β̃ nothing is left: 1 - ᾱ of no step at all.
    close(schedule.posterior_variance[1:], wanted.variance[1:], 1e-10)
    assert float(schedule.posterior_variance[0]) == float(wanted.variance[0]) == 0
    close(schedule.log_posterior_variance, wanted.log_variance, 1e-11)
    assert wanted.log_variance[0] == wanted.log_variance[1]


@BOTH
def test_posterior_mean(schedule: Schedule):
    wanted, every = exactly(schedule), torch.arange(len(schedule))
    one, none = pixels(np.ones(1), len(schedule)), pixels(np.zeros(1), len(schedule))
    close(schedule.posterior_mean(one, none, every)[:, 0, 0, 0], wanted.from_x0, 1e-10)
    close(schedule.posterior_mean(none, one, every)[:, 0, 0, 0], wanted.from_x, 1e-10, 1e-16)


@BOTH
@pytest.mark.parametrize("v", [-1.0, -0.25, 0.0, 0.5, 1.0, 1.75])
def test_learned_variance_of_every_step(schedule: Schedule, v: float):
    """log Σ = ν log β + (1 - ν) log β̃ with ν = (v + 1) / 2, outside of 0 … 1 as well."""
    wanted, count = exactly(schedule), len(schedule)
    x = pixels(np.zeros(1), count)
    output = torch.cat([x, torch.full_like(x, v)], 1)
    guess = denoise_output(output, x, torch.arange(count), schedule, "epsilon")
    nu = (mp.mpf(v) + 1) / 2
    expected = [
        nu * mp.log(beta) + (1 - nu) * low
        for beta, low in zip(wanted.beta, wanted.log_variance, strict=True)
    ]
    close(guess.log_variance[:, 1, 0, 0], expected, 1e-10)


@BOTH
def test_bound_of_every_step_but_the_first(schedule: Schedule):
    """The divergence of two Gaussians with the posterior's means, in bits a dimension."""
    wanted, count = exactly(schedule), len(schedule)
    rng = np.random.default_rng(0)
    x0, guessed, x = rng.uniform(-1, 1, (3, count))
    log_variance = np.array(wanted.log_variance, float) + rng.normal(0.4, 0.3, count)
    guess = Denoised(
        pixels(guessed, count), pixels(np.zeros(count), count), pixels(log_variance, count)
    )
    every = torch.arange(count)
    found = variational_bound(guess, pixels(x0, count), pixels(x, count), every, schedule)
    expected = []
    for t in range(1, count):
        apart = wanted.from_x0[t] * (mp.mpf(x0[t]) - mp.mpf(guessed[t]))
        theirs = mp.exp(mp.mpf(log_variance[t]))
        ratio = wanted.variance[t] / theirs
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
