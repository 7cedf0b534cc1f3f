"""The schedule against closed forms and Bayes' rule, in float64."""

import math

import numpy as np
import pytest
import torch
from scipy import stats

from model.diffusion.schedule import Schedule, at, respace
from tests.model.diffusion.exact import BOTH, close, exactly, pixels
from tests.model.noisy_frames import FULL, noise_like


@BOTH
def test_schedule(schedule: Schedule):
    constants = exactly(schedule)
    close(schedule.alpha_bar, constants.alpha_bar, 1e-12)
    close(schedule.beta, constants.beta, 1e-11)


@BOTH
def test_posterior_variance_and_its_clipped_logarithm(schedule: Schedule):
    constants = exactly(schedule)
    # Of the first β̃ nothing is left: 1 - ᾱ of no step at all.
    close(schedule.posterior_variance[1:], constants.variance[1:], 1e-10)
    assert float(schedule.posterior_variance[0]) == float(constants.variance[0]) == 0
    close(schedule.log_posterior_variance, constants.log_variance, 1e-11)
    assert constants.log_variance[0] == constants.log_variance[1]


@BOTH
def test_posterior_mean(schedule: Schedule):
    constants, every = exactly(schedule), torch.arange(len(schedule))
    one, none = pixels(np.ones(1), len(schedule)), pixels(np.zeros(1), len(schedule))
    close(schedule.posterior_mean(one, none, every)[:, 0, 0, 0], constants.from_x0, 1e-10)
    close(schedule.posterior_mean(none, one, every)[:, 0, 0, 0], constants.from_x, 1e-10, 1e-16)


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [FULL, respace(FULL, 13)], ids=["full", "13 steps"])
@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_posterior_follows_from_bayes_rule(schedule, place: float):
    t = int(place * len(schedule))
    x0, x = 0.3, -0.4
    before, beta = float(schedule.alpha_bar_previous[t]), float(schedule.beta[t])
    # q(x_{t-1} | x_t, x_0) ∝ q(x_t | x_{t-1}) q(x_{t-1} | x_0), on a fine grid
    grid = np.linspace(-12, 12, 2_000_001)
    log_density = stats.norm.logpdf(x, np.sqrt(1 - beta) * grid, np.sqrt(beta))
    log_density += stats.norm.logpdf(grid, np.sqrt(before) * x0, np.sqrt(1 - before))
    density = np.exp(log_density - log_density.max())
    density /= density.sum()
    mean = (density * grid).sum()
    variance = (density * (grid - mean) ** 2).sum()

    index = torch.tensor([t])
    shaped = [torch.full((1, 1, 1, 1), value, dtype=torch.float64) for value in (x0, x)]
    assert float(schedule.posterior_mean(*shaped, index)) == pytest.approx(mean, rel=1e-6)
    assert float(schedule.posterior_variance[t]) == pytest.approx(variance, rel=1e-5)
    assert float(schedule.log_posterior_variance[t]) == pytest.approx(np.log(variance), rel=1e-4)


def test_forward_process_has_the_moments_of_the_schedule():
    x0 = torch.full((2, 3, 64, 64), 0.5, dtype=torch.float64)
    t = torch.tensor([100, 700])
    x = FULL.add_noise(x0, noise_like(x0), t)
    for row, step in zip(x, t.tolist(), strict=True):
        alpha_bar = float(FULL.alpha_bar[step])
        error = math.sqrt((1 - alpha_bar) / row.numel())
        assert float(row.mean()) == pytest.approx(0.5 * math.sqrt(alpha_bar), abs=5 * error)
        assert float(row.var()) == pytest.approx(1 - alpha_bar, rel=0.08)


def test_a_step_of_the_forward_process_after_another_is_the_whole():
    """√(1-β) x_{t-1} + √β ε has the variance of ᾱ, from no noise to all of it."""
    variance, signal = 0.0, 1.0
    for t, beta in enumerate(FULL.beta.tolist()):
        variance, signal = (1 - beta) * variance + beta, signal * math.sqrt(1 - beta)
        assert variance == pytest.approx(1 - float(FULL.alpha_bar[t]), rel=1e-9)
        assert signal == pytest.approx(math.sqrt(float(FULL.alpha_bar[t])), rel=1e-6)


@pytest.mark.parametrize("count", [2, 10, 100, 200, 1000])
def test_respacing_keeps_what_it_keeps(count: int):
    few = respace(FULL, count)
    assert len(few) == count == len(few.alpha_bar)
    assert (few.steps[0], few.steps[-1]) == (0, 999)
    gaps = few.steps.diff()
    assert int(gaps.max() - gaps.min()) <= 1
    assert torch.equal(few.alpha_bar, FULL.alpha_bar[few.steps])
    torch.testing.assert_close((1 - few.beta).cumprod(0), few.alpha_bar, rtol=1e-7, atol=0)
    assert torch.isfinite(few.log_posterior_variance).all()


@pytest.mark.parametrize("count", [2, 3, 10, 33, 200, 999, 1000])
def test_quadratic_steps_are_denser_at_low_noise(count: int):
    few = respace(FULL, count, "quadratic")
    gaps = few.steps.diff()
    assert len(few) == count
    assert (few.steps[0], few.steps[-1]) == (0, 999)
    assert int(gaps.min()) >= 1  # none twice
    assert int((gaps[1:] - gaps[:-1]).min() if count > 2 else 0) >= -1
    assert torch.equal(few.alpha_bar, FULL.alpha_bar[few.steps])
    # Where they do not crowd, step i is at 999 (i / (K - 1))².
    i = np.arange(count)
    expected = 999 * (i / (count - 1)) ** 2
    free = expected >= i
    np.testing.assert_allclose(few.steps.numpy()[free], expected[free], atol=1)
    assert (few.steps.numpy()[~free] == i[~free]).all()


def test_a_single_step_is_the_noisiest():
    one = respace(FULL, 1)
    assert one.steps.tolist() == [999]
    assert torch.isfinite(one.log_posterior_variance).all()


@pytest.mark.parametrize("count", [0, 1001])
def test_respacing_to_no_step_or_more_than_there_are(count: int):
    with pytest.raises(ValueError, match="choose 1 to 1000"):
        respace(FULL, count)


def test_constants_are_made_float32_before_they_travel():
    """Some devices (MPS) hold no float64."""
    values = at(FULL.alpha_bar, torch.tensor([0, 999]), torch.zeros(2, 3, 4, 4))
    assert values.dtype == torch.float32
    assert values.shape == (2, 1, 1, 1)
    torch.testing.assert_close(
        values.flatten().double(), FULL.alpha_bar[[0, 999]], rtol=1e-7, atol=0
    )
