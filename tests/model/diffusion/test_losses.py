"""Losses of the diffusion against PyTorch's, SciPy's and sums by hand, in float64."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from model.config.architecture import DiffusionConfig
from model.diffusion.lip_loss import box_mask
from model.diffusion.losses import Losses, diffusion_losses
from model.diffusion.prediction import Denoised, prediction_target
from model.diffusion.schedule import at
from model.diffusion.vlb import discretised_gaussian_log_likelihood, gaussian_kl, variational_bound
from tests.model.noisy_frames import FULL, RNG, frames, noise_like


def test_kl_is_that_of_torch():
    means, logs = RNG.normal(size=(2, 50)), RNG.normal(size=(2, 50))
    normals = [
        torch.distributions.Normal(torch.tensor(mean), torch.tensor(log / 2).exp())
        for mean, log in zip(means, logs, strict=True)
    ]
    expected = torch.distributions.kl_divergence(*normals)
    (m1, m2), (l1, l2) = torch.tensor(means), torch.tensor(logs)
    torch.testing.assert_close(gaussian_kl(m1, l1, m2, l2), expected)


@pytest.mark.parametrize(("mean", "scale"), [(0.1, 0.05), (-0.97, 0.2), (1.3, 0.5), (0.0, 3.0)])
def test_likelihood_of_eight_bits_is_that_of_scipy_and_sums_to_one(mean: float, scale: float):
    levels = np.arange(256) / 127.5 - 1
    edges = np.concatenate([[-np.inf], (levels[1:] + levels[:-1]) / 2, [np.inf]])
    expected = np.diff(stats.norm.cdf(edges, mean, scale))
    x = torch.from_numpy(levels)
    found = discretised_gaussian_log_likelihood(
        x, torch.full_like(x, mean), torch.full_like(x, math.log(scale))
    ).exp()
    assert float(found.sum()) == pytest.approx(1, abs=1e-7)
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-12)


def test_likelihood_stays_finite_where_it_vanishes():
    x = torch.tensor([-1.0, 0.0, 1.0])
    mean = torch.tensor([1.0, 1.0, -1.0], requires_grad=True)
    found = discretised_gaussian_log_likelihood(x, mean, torch.full((3,), -6.0))
    found.sum().backward()
    assert torch.isfinite(found).all()
    assert torch.isfinite(mean.grad).all()


def test_bound_in_bits_a_dimension():
    """KL for t > 0 and the likelihood of the frame at t = 0, each from its distribution."""
    x0 = torch.from_numpy(RNG.integers(0, 256, (3, 3, 4, 4)) / 127.5 - 1)
    t = torch.tensor([0, 1, 600])
    x = FULL.add_noise(x0, noise_like(x0), t)
    guess = Denoised(0.9 * x0, x, -5 + 0.3 * noise_like(x0))
    mean = FULL.posterior_mean(guess.x0, x, t)
    ours = torch.distributions.Normal(mean, (guess.log_variance / 2).exp())
    variance = FULL.posterior_variance[[1, 1, 600]].reshape(3, 1, 1, 1)
    true = torch.distributions.Normal(FULL.posterior_mean(x0, x, t), variance.sqrt().expand_as(x0))
    kl = torch.distributions.kl_divergence(true, ours)
    upper = torch.where(x0 > 0.999, torch.inf, x0 + 1 / 255)
    lower = torch.where(x0 < -0.999, -torch.inf, x0 - 1 / 255)
    cdf = stats.norm(mean.numpy(), np.exp(guess.log_variance.numpy() / 2)).cdf
    likelihood = torch.from_numpy(cdf(upper.numpy()) - cdf(lower.numpy())).clamp_min(1e-12)
    expected = torch.cat([-likelihood[:1].log(), kl[1:]]).mean((1, 2, 3)) / math.log(2)
    torch.testing.assert_close(
        variational_bound(guess, x0, x, t, FULL), expected, rtol=1e-6, atol=0
    )


def test_the_bound_of_a_perfect_guess_is_zero():
    x0 = frames()
    t = torch.tensor([1, 10, 500, 999])
    x = FULL.add_noise(x0, noise_like(x0), t)
    log_variance = at(FULL.log_posterior_variance, t, x).expand_as(x)
    bound = variational_bound(Denoised(x0, x, log_variance), x0, x, t, FULL)
    torch.testing.assert_close(bound, torch.zeros(4, dtype=torch.float64), atol=1e-12, rtol=0)


BOXES = torch.tensor([[1, 2, 4, 5], [0, 0, 6, 6], [5, 0, 6, 1], [0, 4, 2, 6]])


def _losses(
    output: torch.Tensor, t: list[int], config: DiffusionConfig | None = None
) -> tuple[Losses, torch.Tensor, torch.Tensor]:
    """Losses of a network that answers `output`, whatever it is shown; the noise and the frames."""
    generator = torch.Generator().manual_seed(3)
    x0 = torch.rand(4, 3, 6, 6, generator=generator) * 2 - 1
    noise = torch.randn(4, 3, 6, 6, generator=generator)
    config = config or DiffusionConfig()
    parts = diffusion_losses(lambda _x, _t: output, x0, BOXES, torch.tensor(t), noise, FULL, config)
    return parts, noise, x0


def test_simple_and_lip_loss_by_hand():
    output = torch.randn(4, 6, 6, 6, generator=torch.Generator().manual_seed(1))
    parts, noise, _ = _losses(output, [5, 300, 600, 999])
    error = ((output[:, :3] - noise) ** 2).double().numpy()
    for row, (x0, y0, x1, y1) in enumerate(BOXES.tolist()):
        inside = [
            error[row, channel, y, x]
            for channel in range(3)
            for y in range(y0, y1)
            for x in range(x0, x1)
        ]
        assert float(parts.lip[row]) == pytest.approx(sum(inside) / len(inside), rel=1e-5)
        assert float(parts.simple[row]) == pytest.approx(error[row].mean(), rel=1e-5)


def test_v_has_its_own_target():
    output = torch.zeros(4, 6, 6, 6)
    t = [5, 300, 600, 999]
    parts, noise, x0 = _losses(output, t, DiffusionConfig(prediction="v"))
    v = prediction_target(x0, noise, torch.tensor(t), FULL, "v")
    torch.testing.assert_close(parts.simple, (v**2).mean((1, 2, 3)))


def test_an_error_outside_the_mouth_is_no_lip_loss():
    _, noise, _ = _losses(torch.zeros(4, 6, 6, 6), [10, 20, 30, 40])
    output = torch.cat([noise, torch.zeros_like(noise)], 1)
    output[0, :3, 0, 0] += 7  # outside of the first box, inside of the second
    output[1, :3, 0, 0] += 7
    parts, _, _ = _losses(output, [10, 20, 30, 40])
    assert parts.lip.tolist() == pytest.approx([0, 49 / 36, 0, 0], abs=1e-5)
    assert parts.simple.tolist() == pytest.approx([49 / 36, 49 / 36, 0, 0], abs=1e-5)


def test_masks():
    masks = box_mask(BOXES, 6)
    for mask, (x0, y0, x1, y1) in zip(masks, BOXES.tolist(), strict=True):
        expected = torch.zeros(1, 6, 6)
        expected[:, y0:y1, x0:x1] = 1
        assert torch.equal(mask, expected)


def test_the_bound_trains_the_variance_alone_and_the_others_the_mean_alone():
    output = 0.1 * torch.randn(4, 6, 6, 6, generator=torch.Generator().manual_seed(2))
    output.requires_grad_()
    for part, trained, left in (
        ("vlb", slice(3, 6), slice(0, 3)),
        ("simple", slice(0, 3), slice(3, 6)),
        ("lip", slice(0, 3), slice(3, 6)),
    ):
        output.grad = None
        parts, _, _ = _losses(output, [0, 1, 500, 999])
        getattr(parts, part).sum().backward()
        assert output.grad[:, trained].abs().sum((1, 2, 3)).gt(0).all(), part
        assert not output.grad[:, left].any(), part


def test_the_network_is_told_the_step_and_shown_the_noisy_frame():
    asked = []

    def network(x: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        asked.append((x, steps))
        return torch.zeros(4, 6, 6, 6)

    x0, t = frames().float(), torch.tensor([0, 7, 80, 999])
    noise = noise_like(x0).float()
    diffusion_losses(network, x0, BOXES, t, noise, FULL, DiffusionConfig())
    ((x, steps),) = asked
    assert torch.equal(steps, t)
    torch.testing.assert_close(x, FULL.add_noise(x0, noise, t))


def test_total_is_the_weighted_sum():
    parts = Losses(torch.tensor([1.0, 3.0]), torch.tensor([10.0, 30.0]), torch.tensor([5.0, 7.0]))
    config = DiffusionConfig(lambda_vlb=0.01, lambda_ls=0.5)
    assert float(parts.total(config)) == pytest.approx(2 + 0.01 * 20 + 0.5 * 6)


def test_defaults_are_the_papers():
    config = DiffusionConfig()
    assert (config.steps, config.prediction) == (1000, "epsilon")
    assert (config.lambda_vlb, config.lambda_ls) == (1e-4, 0.2)
