"""Samplers with an exact denoiser: data whose distribution at every noise level is known."""

import itertools
import math
from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import torch
from torch import Tensor

from model.config.choices import SamplerName
from model.diffusion.prediction import Denoised, denoise_output, prediction_target
from model.diffusion.samplers import SAMPLERS
from model.diffusion.schedule import Schedule, Spacing, cosine_schedule, respace

FULL = cosine_schedule()
MEAN, DEVIATION = 0.1, 0.2
NAMES = get_args(SamplerName)


def normal(seed: int, *shape: int) -> Callable[[], Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(shape, generator=generator, dtype=torch.float64)


def gaussian(
    schedule: Schedule, prediction: str = "v", mean: float = MEAN, deviation: float = DEVIATION
) -> Callable[[Tensor, int], Tensor]:
    """The ideal network for data of independent Gaussian pixels, with the exact variance.

    Of such data x_{t-1} given x_t is Gaussian on any steps: its variance is that of
    q(x_{t-1} | x_t, x_0) plus what is not known of x_0.
    """

    def denoise(x: Tensor, at: int) -> Tensor:
        index = torch.full((len(x),), at)
        alpha_bar, beta = schedule.alpha_bar[index], schedule.beta[index]
        before = schedule.alpha_bar_previous[index]
        known = alpha_bar * deviation**2 + 1 - alpha_bar
        gain = alpha_bar.sqrt() * deviation**2 / known
        x0 = mean + gain.reshape(-1, 1, 1, 1) * (x - alpha_bar.sqrt().reshape(-1, 1, 1, 1) * mean)
        unknown = deviation**2 * (1 - alpha_bar) / known
        from_x0 = before.sqrt() * beta / (1 - alpha_bar)
        variance = schedule.posterior_variance[index] + from_x0**2 * unknown
        low, high = schedule.log_posterior_variance[index], beta.log()
        nu = (variance.log() - low) / (high - low)
        nu = torch.where(index == 0, torch.zeros_like(nu), nu)
        assert ((nu > -1e-6) & (nu < 1 + 1e-6)).all()
        return answer(x, x0, index, schedule, prediction, 2 * nu - 1)

    return denoise


def answer(
    x: Tensor, x0: Tensor, index: Tensor, schedule: Schedule, prediction: str, v: Tensor
) -> Tensor:
    """What a network would say that believes in x0."""
    alpha_bar = schedule.alpha_bar[index].reshape(-1, 1, 1, 1)
    epsilon = (x - alpha_bar.sqrt() * x0) / (1 - alpha_bar).sqrt()
    predicted = prediction_target(x0, epsilon, index, schedule, prediction)
    return torch.cat([predicted, v.reshape(-1, 1, 1, 1).expand_as(x)], 1)


def run(
    name: SamplerName,
    denoise: Callable[[Tensor, int], Tensor],
    noise: Callable[[], Tensor],
    schedule: Schedule,
    prediction: str = "v",
) -> Tensor:
    """A sampler that begins in noise."""

    def estimate(x: Tensor, index: int) -> Denoised:
        return denoise_output(denoise(x, index), x, index, schedule, prediction)

    return SAMPLERS[name](estimate, noise(), noise, schedule)


def flow(noise: Tensor) -> Tensor:
    """Where the probability flow ends that begins in `noise`: the ideal x0 at the first step."""

    def spread(alpha_bar: Tensor) -> Tensor:
        return (alpha_bar * DEVIATION**2 + 1 - alpha_bar).sqrt()

    first, last = FULL.alpha_bar[0], FULL.alpha_bar[-1]
    x = first.sqrt() * MEAN + spread(first) / spread(last) * (noise - last.sqrt() * MEAN)
    return MEAN + first.sqrt() * DEVIATION**2 / spread(first) ** 2 * (x - first.sqrt() * MEAN)


# --- what comes out -------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("prediction", ["epsilon", "v"])
@pytest.mark.parametrize(
    ("name", "steps"), [("ancestral", 20), ("ddim", 400), ("dpm", 100), ("sde", 100)]
)
def test_a_gaussian_comes_out_as_it_is(name: SamplerName, steps: int, prediction: str):
    """The ancestral sampler is exact on any steps, since its variance is; the others in the limit.

    Without the learned variance (ν = 0, or 1) it would not be.
    """
    schedule = respace(FULL, steps)
    noise = normal(1, 100, 3, 12, 12)
    drawn = run(name, gaussian(schedule, prediction), noise, schedule, prediction)
    error = DEVIATION / math.sqrt(drawn.numel())
    assert drawn.shape == (100, 3, 12, 12)
    assert float(drawn.mean()) == pytest.approx(MEAN, abs=6 * error)
    assert float(drawn.std()) == pytest.approx(DEVIATION, rel=0.015)
    # Half of it within 0.674 deviations, pixel by pixel independent.
    assert float(((drawn - MEAN).abs() < 0.6745 * DEVIATION).double().mean()) == pytest.approx(
        0.5, abs=0.015
    )
    neighbours = torch.corrcoef(torch.stack([drawn[..., 1:].flatten(), drawn[..., :-1].flatten()]))
    assert abs(float(neighbours[0, 1])) < 0.03


@pytest.mark.parametrize("wrong", [-1.0, 1.0])
def test_the_variance_that_the_network_learned_is_used(wrong: float):
    schedule = respace(FULL, 10)
    ideal = gaussian(schedule)

    def denoise(x: Tensor, at: int) -> Tensor:
        return torch.cat([ideal(x, at)[:, :3], torch.full_like(x, wrong)], 1)

    drawn = run("ancestral", denoise, normal(1, 50, 3, 12, 12), schedule)
    assert abs(float(drawn.std()) / DEVIATION - 1) > 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "steps"), [("ancestral", 200), ("ddim", 200), ("dpm", 100), ("sde", 100)]
)
def test_two_modes_come_out_in_their_shares(name: SamplerName, steps: int):
    modes, shares, deviation = torch.tensor([-0.5, 0.4]), torch.tensor([0.3, 0.7]), 0.05
    schedule = respace(FULL, steps)

    def denoise(x: Tensor, at: int) -> Tensor:
        index = torch.full((len(x),), at)
        alpha_bar = schedule.alpha_bar[index[0]]
        known = alpha_bar * deviation**2 + 1 - alpha_bar
        off = x[..., None] - alpha_bar.sqrt() * modes
        weights = torch.softmax(shares.log() - off**2 / (2 * known), -1)
        each = modes + alpha_bar.sqrt() * deviation**2 / known * off
        return answer(x, (weights * each).sum(-1), index, schedule, "v", -torch.ones(len(x)))

    drawn = run(name, denoise, normal(2, 40, 3, 16, 16), schedule)
    left = drawn[drawn < -0.05]
    right = drawn[drawn > -0.05]
    assert len(left) / drawn.numel() == pytest.approx(0.3, abs=0.02)
    assert float(left.mean()) == pytest.approx(-0.5, abs=0.01)
    assert float(right.mean()) == pytest.approx(0.4, abs=0.01)
    assert float(right.std()) == pytest.approx(deviation, rel=0.15)


def error_of(
    name: SamplerName, steps: int, prediction: str = "v", spacing: Spacing = "uniform"
) -> float:
    schedule = respace(FULL, steps, spacing)
    noise = normal(3, 8, 3, 8, 8)()
    drawn = run(name, gaussian(schedule, prediction), lambda: noise, schedule, prediction)
    return float((drawn - flow(noise)).square().mean().sqrt())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ddim", "dpm"])
def test_deterministic_samplers_follow_the_flow(name: SamplerName):
    assert error_of(name, 1000) < 1e-3
    assert error_of(name, 1000, "epsilon") < 1e-3


def test_dpm_is_of_second_order_and_ddim_of_first():
    ddim = [error_of("ddim", steps) for steps in (20, 40, 80)]
    dpm = [error_of("dpm", steps) for steps in (20, 40, 80)]
    order = np.log2([ddim[0] / ddim[1], ddim[1] / ddim[2], dpm[0] / dpm[1], dpm[1] / dpm[2]])
    assert order[:2] == pytest.approx([1, 1], abs=0.15)
    assert (order[2:] > 1.8).all()


def deviation_of(name: SamplerName, steps: int) -> float:
    """By how much the deviation of what is drawn is off, without the noise of drawing it.

    Of Gaussian data every sampler is linear in the noise it draws. Its answers to one draw at a
    time, the others zero, give the variance that all together have; the batch holds them all.
    """
    schedule, draws = respace(FULL, steps), itertools.count()

    def noise() -> Tensor:
        alone = torch.zeros(steps + 1, 3, 1, 1, dtype=torch.float64)
        alone[next(draws)] = 1
        return alone

    drawn = run(name, gaussian(schedule), noise, schedule)[:, 0, 0, 0]
    variance = (drawn[:steps] - drawn[steps]).square().sum()
    return float(variance) ** 0.5 / DEVIATION - 1


@pytest.mark.slow
def test_the_deviation_of_sde_is_right_to_second_order():
    """Four times the steps leave a sixteenth of the error; of a first-order sampler's, a quarter.

    The limit is not quite that of the data: what is drawn last is the mean that the first step
    knows of.
    """
    alpha_bar = float(FULL.alpha_bar[0])
    share = alpha_bar * DEVIATION**2 / (alpha_bar * DEVIATION**2 + 1 - alpha_bar)
    sde = [abs(deviation_of("sde", steps) - (share**0.5 - 1)) for steps in (80, 320)]
    ddim = [abs(deviation_of("ddim", steps) - (share**0.5 - 1)) for steps in (80, 320)]
    assert ddim[0] / ddim[1] == pytest.approx(4, rel=0.1)
    assert sde[0] / sde[1] > 16
    assert sde[0] < 0.2 * ddim[0]


@pytest.mark.parametrize("steps", [5, 10, 20, 50])
def test_dpm_is_nearer_than_ddim_with_few_steps(steps: int):
    assert error_of("dpm", steps) < 0.85 * error_of("ddim", steps)
    quadratic = [error_of(name, steps, spacing="quadratic") for name in ("dpm", "ddim")]
    assert quadratic[0] < 0.3 * quadratic[1]


@pytest.mark.parametrize("steps", [5, 10, 20, 50])
@pytest.mark.parametrize("name", ["ddim", "dpm"])
def test_quadratic_spacing_is_nearer_than_uniform(name: SamplerName, steps: int):
    assert error_of(name, steps, spacing="quadratic") < 0.65 * error_of(name, steps)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("steps", [1, 2, 25])
def test_a_network_that_knows_the_frame_draws_it(name: SamplerName, steps: int):
    schedule = respace(FULL, steps)
    frame = torch.linspace(-1, 1, 2 * 3 * 4 * 4, dtype=torch.float64).reshape(2, 3, 4, 4)

    def denoise(x: Tensor, at: int) -> Tensor:
        index = torch.full((len(x),), at)
        return answer(x, frame, index, schedule, "v", torch.zeros(2))

    drawn = run(name, denoise, normal(4, 2, 3, 4, 4), schedule)
    torch.testing.assert_close(drawn, frame, atol=1e-5, rtol=0)


# --- how it is drawn ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_steps_of_the_schedule_are_walked_from_last_to_first(name: SamplerName):
    schedule, asked = respace(FULL, 7), []
    ideal = gaussian(schedule)

    def denoise(x: Tensor, at: int) -> Tensor:
        asked.append(at)
        return ideal(x, at)

    run(name, denoise, normal(5, 2, 3, 4, 4), schedule)
    assert asked == [6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(("name", "draws"), [("ancestral", 7), ("ddim", 1), ("dpm", 1), ("sde", 7)])
def test_how_often_noise_is_drawn(name: SamplerName, draws: int):
    schedule, count = respace(FULL, 7), []
    noise = normal(6, 2, 3, 4, 4)

    def counted() -> Tensor:
        count.append(1)
        return noise()

    run(name, gaussian(schedule), counted, schedule)
    assert len(count) == draws


@pytest.mark.parametrize("name", NAMES)
def test_the_same_noise_gives_the_same_bits_and_other_noise_another_frame(name: SamplerName):
    schedule = respace(FULL, 9)
    first, again, other = (
        run(name, gaussian(schedule), normal(seed, 2, 3, 4, 4), schedule) for seed in (7, 7, 8)
    )
    assert torch.equal(first, again)
    assert not torch.allclose(first, other, atol=0.01)


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_comes_out_the_same_alone_or_in_a_batch(name: SamplerName):
    schedule = respace(FULL, 9)

    def draw(*seeds: int) -> Tensor:
        each = [normal(seed, 3, 4, 4) for seed in seeds]
        return run(name, gaussian(schedule), lambda: torch.stack([one() for one in each]), schedule)

    torch.testing.assert_close(draw(1, 2, 3)[1:2], draw(2), atol=1e-12, rtol=0)
