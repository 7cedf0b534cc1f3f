"""The identity frame as prior mean, against its formulas and against exact denoisers."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from torch import Tensor

from model.config.architecture import DiffusionConfig
from model.config.choices import SamplerName
from model.config.presets import Preset
from model.diffusion.identity_prior import IdentityPrior, diffusion_schedule, residual_schedule
from model.diffusion.losses import diffusion_losses
from model.diffusion.prediction import Denoised, denoise_output, prediction_target
from model.diffusion.samplers import SAMPLERS
from model.diffusion.schedule import cosine_schedule, respace
from model.network.talking_head import TalkingHead
from model.sampling.autoregressive import generate_frames, make_denoiser
from model.sampling.sample_config import SampleConfig

SCALE = 0.2
CONFIG = DiffusionConfig(prediction="v", identity_prior=SCALE)
PLAIN, RESIDUAL = cosine_schedule(), diffusion_schedule(CONFIG)


def draws(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("t", [0, 30, 400, 800, 999])
def test_it_is_the_preconditioning_of_karras_about_the_identity(t: int):
    """x0 = identity + (α s²/V) r - (s σ/√V) v with r = x_t - α identity, V = α² s² + σ²."""
    identity, x_t, v = 0.2 * draws(1, 2, 3, 4, 4), draws(2, 2, 3, 4, 4), 0.1 * draws(3, 2, 3, 4, 4)
    alpha, sigma = PLAIN.alpha_bar[t].sqrt(), (1 - PLAIN.alpha_bar[t]).sqrt()
    spread = (alpha**2 * SCALE**2 + sigma**2).sqrt()
    r = x_t - alpha * identity
    expected = identity + alpha * SCALE**2 / spread**2 * r - SCALE * sigma / spread * v
    prior = IdentityPrior(identity, SCALE)
    output = torch.cat([v, v], dim=1)
    found = denoise_output(output, r / spread, t, RESIDUAL, "v", prior)
    clamped = expected.clamp(-1, 1)
    assert torch.allclose(prior.frames(found.x0), clamped, atol=1e-6)
    # The noise that goes with it is that of the frames.
    assert torch.allclose(found.epsilon, (x_t - alpha * clamped) / sigma, atol=1e-5)


@pytest.mark.parametrize("t", [0, 200, 500, 999])
def test_the_target_has_unit_variance_at_every_step(t: int):
    identity = 0.3 * draws(1, 1, 3, 64, 64)
    frames = identity + SCALE * draws(2, 8, 3, 64, 64)
    residual = IdentityPrior(identity, SCALE).residual(frames)
    index = torch.full((8,), t)
    target = prediction_target(residual, draws(3, 8, 3, 64, 64), index, RESIDUAL, "v")
    noisy = RESIDUAL.add_noise(residual, draws(3, 8, 3, 64, 64), index)
    assert float(target.std()) == pytest.approx(1, abs=0.01)
    assert float(noisy.std()) == pytest.approx(1, abs=0.01)


def test_a_wide_prior_says_nothing_and_v_becomes_the_noise():
    wide = residual_schedule(PLAIN, 1e6)
    noise, index = draws(1, 4, 3, 8, 8), torch.tensor([50, 300, 600, 900])
    target = prediction_target(draws(2, 4, 3, 8, 8), noise, index, wide, "v")
    assert torch.allclose(target, noise, atol=1e-2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "steps"), [("ancestral", 200), ("ddim", 200), ("dpm", 100), ("sde", 100)]
)
def test_two_modes_about_the_identity_come_out_in_their_shares(name: SamplerName, steps: int):
    identity = 0.2 * draws(4, 1, 3, 16, 16)
    offsets, shares, deviation = torch.tensor([-0.15, 0.2]), torch.tensor([0.3, 0.7]), 0.04
    prior = IdentityPrior(identity, SCALE)
    schedule = respace(RESIDUAL, steps)
    modes, width = offsets / SCALE, deviation / SCALE

    def exact(x: Tensor, index: int) -> Denoised:
        alpha_bar = schedule.alpha_bar[index]
        known = alpha_bar * width**2 + 1 - alpha_bar
        off = x[..., None] - alpha_bar.sqrt() * modes
        weights = torch.softmax(shares.log() - off**2 / (2 * known), -1)
        x0 = (weights * (modes + alpha_bar.sqrt() * width**2 / known * off)).sum(-1)
        epsilon = (x - alpha_bar.sqrt() * x0) / (1 - alpha_bar).sqrt()
        target = prediction_target(x0, epsilon, torch.full((len(x),), index), schedule, "v")
        output = torch.cat([target, torch.full_like(x, -1)], dim=1)
        return denoise_output(output, x, index, schedule, "v", prior)

    generator = torch.Generator().manual_seed(2)
    noise = partial(torch.randn, 40, 3, 16, 16, generator=generator, dtype=torch.float64)
    drawn = prior.frames(SAMPLERS[name](exact, noise(), noise, schedule)) - identity
    left, right = drawn[drawn < 0], drawn[drawn > 0]
    assert len(left) / drawn.numel() == pytest.approx(0.3, abs=0.02)
    assert float(left.mean()) == pytest.approx(-0.15, abs=0.005)
    assert float(right.mean()) == pytest.approx(0.2, abs=0.005)
    assert float(right.std()) == pytest.approx(deviation, rel=0.15)


def test_the_losses_of_a_perfect_network_vanish():
    identity = (0.3 * draws(5, 6, 3, 8, 8)).float()
    frames = ((identity + 0.1).clamp(-1, 1) * 127.5).round() / 127.5  # 8-bit values
    prior, noise = IdentityPrior(identity, SCALE), draws(6, 6, 3, 8, 8).float()
    t = torch.tensor([0, 1, 100, 400, 700, 999])
    target = prediction_target(prior.residual(frames), noise, t, RESIDUAL, "v")
    boxes = torch.tensor([[1, 1, 5, 5]] * 6)

    def perfect(x: Tensor, steps: Tensor) -> Tensor:
        assert torch.equal(steps, t)
        return torch.cat([target, torch.full_like(x, -1)], dim=1)  # ν = 0: the variance β̃

    terms = diffusion_losses(perfect, frames, boxes, t, noise, RESIDUAL, CONFIG, prior)
    assert float(terms["simple"].abs().max()) < 1e-10
    assert float(terms["lip"].abs().max()) < 1e-10
    assert float(terms["vlb"][1:].abs().max()) < 1e-3  # KL of a distribution from itself
    # At t = 0 the likelihood of 8-bit frames: of residuals it would be another by log2 s.
    assert 0 < float(terms["vlb"][0]) < 3


@pytest.mark.parametrize("start", ["noise", "previous"])
@pytest.mark.parametrize("name", ["ancestral", "ddim", "dpm", "sde"])
def test_an_untrained_network_draws_the_identity_with_the_noise_of_the_prior(
    small: Preset, model: TalkingHead, name: SamplerName, start: str
):
    """A network that answers 0 leaves the prior: the identity frame, give or take s."""
    preset = replace(small, diffusion=CONFIG)
    config = SampleConfig(name, 4, start=start)
    with torch.no_grad():
        for parameter in model.unet.out.parameters():
            parameter.zero_()
    size = preset.unet.image_size
    face = np.full((size, size, 3), 140, np.uint8)
    speech = np.zeros((2, model.speech.steps * model.speech.coefficients), np.float32)
    denoiser = make_denoiser(model, preset, config)
    for (frame,) in generate_frames(denoiser, preset, [face], [speech], config):
        assert abs(float(frame.mean()) - 140) < 6
        assert float(frame.std()) < 1.3 * SCALE * 127.5
