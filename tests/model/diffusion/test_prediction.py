"""What a network's output stands for: frame, noise and variance."""

import math

import mpmath as mp
import numpy as np
import pytest
import torch

from model.diffusion.prediction import denoise_output, prediction_target
from model.diffusion.schedule import Schedule
from tests.model.diffusion.exact import BOTH, close, exactly, pixels
from tests.model.noisy_frames import FULL, frames, noise_like


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


@BOTH
@pytest.mark.parametrize("v", [-1.0, -0.25, 0.0, 0.5, 1.0, 1.75])
def test_learned_variance_of_every_step(schedule: Schedule, v: float):
    """log Σ = ν log β + (1 - ν) log β̃ with ν = (v + 1) / 2, outside of 0 … 1 as well."""
    constants, count = exactly(schedule), len(schedule)
    x = pixels(np.zeros(1), count)
    output = torch.cat([x, torch.full_like(x, v)], 1)
    guess = denoise_output(output, x, torch.arange(count), schedule, "epsilon")
    nu = (mp.mpf(v) + 1) / 2
    expected = [
        nu * mp.log(beta) + (1 - nu) * low
        for beta, low in zip(constants.beta, constants.log_variance, strict=True)
    ]
    close(guess.log_variance[:, 1, 0, 0], expected, 1e-10)
