"""Schedule and outputs of the diffusion against closed forms, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from model.diffusion.prediction import denoise_output, prediction_target
from model.diffusion.schedule import at, respace
from tests.model.noisy_frames import FULL, frames, noise_like

# --- the schedule ---------------------------------------------------------------------------------


def test_cosine_schedule_in_closed_form():
    def curve(t: float) -> float:
        return math.cos((t / 1000 + 0.008) / 1.008 * math.pi / 2) ** 2

    expected = [curve(t + 1) / curve(0) for t in range(999)]
    np.testing.assert_allclose(FULL.alpha_bar[:999].numpy(), expected, rtol=1e-9)
    assert FULL.alpha_bar.dtype == torch.float64
    # The last β would be 1; it is clipped.
    assert float(FULL.beta[999]) == pytest.approx(0.999, abs=1e-12)
    assert float(FULL.beta[:999].max()) < 0.999
    assert float(FULL.beta[500]) == pytest.approx(1 - curve(501) / curve(500), rel=1e-9)
    assert FULL.steps.tolist() == list(range(1000))


@pytest.mark.parametrize("schedule", [FULL, respace(FULL, 13)], ids=["full", "13 steps"])
@pytest.mark.parametrize("place", [0.2, 0.5, 0.8])
def test_posterior_is_what_bayes_says(schedule, place: float):
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


def test_the_first_posterior_has_no_variance_and_its_logarithm_is_that_of_the_next():
    assert float(FULL.posterior_variance[0]) == 0
    logarithm = FULL.log_posterior_variance
    assert torch.isfinite(logarithm).all()
    assert float(logarithm[0]) == float(logarithm[1]) == math.log(float(FULL.posterior_variance[1]))


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
    """√(1-β) x_{t-1} + √β ε has the variance that ᾱ says, from no noise to all of it."""
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
    wanted = 999 * (i / (count - 1)) ** 2
    free = wanted >= i
    np.testing.assert_allclose(few.steps.numpy()[free], wanted[free], atol=1)
    assert (few.steps.numpy()[~free] == i[~free]).all()


def test_a_single_step_is_the_noisiest():
    one = respace(FULL, 1)
    assert one.steps.tolist() == [999]
    assert torch.isfinite(one.log_posterior_variance).all()


@pytest.mark.parametrize("count", [0, 1001])
def test_respacing_to_no_step_or_more_than_there_are(count: int):
    with pytest.raises(ValueError, match="choose 1 to 1000"):
        respace(FULL, count)


# --- what an output says --------------------------------------------------------------------------


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_the_true_noise_leads_back_to_the_frame(prediction: str):
    x0 = frames()
    noise, t = noise_like(x0), torch.tensor([1, 250, 600, 950])
    x = FULL.add_noise(x0, noise, t)
    output = torch.cat([prediction_target(x0, noise, t, FULL, prediction), torch.zeros_like(x0)], 1)
    guess = denoise_output(output.double(), x, t, FULL, prediction)
    # The output is read as float32; ε at t = 950 is divided by √ᾱ = 0.08.
    torch.testing.assert_close(guess.x0, x0, atol=1e-5, rtol=0)
    torch.testing.assert_close(guess.epsilon, noise, atol=2e-4, rtol=0)


def test_v_is_made_of_noise_and_frame():
    x0 = frames()
    noise, t = noise_like(x0), torch.tensor([0, 10, 500, 999])
    for row, step in enumerate(t.tolist()):
        alpha_bar = float(FULL.alpha_bar[step])
        expected = math.sqrt(alpha_bar) * noise[row] - math.sqrt(1 - alpha_bar) * x0[row]
        torch.testing.assert_close(prediction_target(x0, noise, t, FULL, "v")[row], expected)
    assert prediction_target(x0, noise, t, FULL, "epsilon") is noise


@pytest.mark.parametrize("prediction", ["epsilon", "v"])
def test_a_guess_outside_the_range_is_clamped_and_its_noise_goes_with_it(prediction: str):
    x0 = frames(scale=3)
    noise, t = noise_like(x0), torch.tensor([100, 300, 500, 700])
    x = FULL.add_noise(x0, noise, t)
    output = torch.cat([prediction_target(x0, noise, t, FULL, prediction), torch.zeros_like(x0)], 1)
    guess = denoise_output(output, x, t, FULL, prediction)
    torch.testing.assert_close(guess.x0, x0.clamp(-1, 1), atol=1e-5, rtol=0)
    torch.testing.assert_close(FULL.add_noise(guess.x0, guess.epsilon, t), x)


def test_the_variance_is_interpolated_between_its_bounds():
    x = frames(batch=3)
    for t in (0, 1, 400, 999):
        low, high = float(FULL.log_posterior_variance[t]), math.log(float(FULL.beta[t]))
        for v, expected in (
            (-1, low),
            (1, high),
            (0, (low + high) / 2),
            (0.5, low / 4 + high * 3 / 4),
        ):
            output = torch.cat([torch.zeros_like(x), torch.full_like(x, v)], 1)
            guess = denoise_output(output, x, torch.full((3,), t), FULL, "epsilon")
            torch.testing.assert_close(guess.log_variance, torch.full_like(x, expected))


def test_constants_are_made_float32_before_they_travel():
    """Some devices (MPS) hold no float64."""
    values = at(FULL.alpha_bar, torch.tensor([0, 999]), torch.zeros(2, 3, 4, 4))
    assert values.dtype == torch.float32
    assert values.shape == (2, 1, 1, 1)
    torch.testing.assert_close(
        values.flatten().double(), FULL.alpha_bar[[0, 999]], rtol=1e-7, atol=0
    )
