"""Losses of the diffusion against PyTorch's, SciPy's and sums by hand, in float64."""

import pytest
import torch

from model.config.architecture import DiffusionConfig
from model.diffusion.losses import diffusion_losses
from model.diffusion.prediction import prediction_target
from tests.model.noisy_frames import FULL, frames, noise_like

BOXES = torch.tensor([[1, 2, 4, 5], [0, 0, 6, 6], [5, 0, 6, 1], [0, 4, 2, 6]])


def _losses(
    output: torch.Tensor, t: list[int], config: DiffusionConfig | None = None
) -> tuple[dict[str, torch.Tensor], torch.Tensor, torch.Tensor]:
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
        assert float(parts["lip"][row]) == pytest.approx(sum(inside) / len(inside), rel=1e-5)
        assert float(parts["simple"][row]) == pytest.approx(error[row].mean(), rel=1e-5)


def test_v_has_its_own_target():
    output = torch.zeros(4, 6, 6, 6)
    t = [5, 300, 600, 999]
    parts, noise, x0 = _losses(output, t, DiffusionConfig(prediction="v"))
    v = prediction_target(x0, noise, torch.tensor(t), FULL, "v")
    torch.testing.assert_close(parts["simple"], (v**2).mean((1, 2, 3)))


def test_an_error_outside_the_mouth_is_no_lip_loss():
    _, noise, _ = _losses(torch.zeros(4, 6, 6, 6), [10, 20, 30, 40])
    output = torch.cat([noise, torch.zeros_like(noise)], 1)
    output[0, :3, 0, 0] += 7  # outside of the first box, inside of the second
    output[1, :3, 0, 0] += 7
    parts, _, _ = _losses(output, [10, 20, 30, 40])
    assert parts["lip"].tolist() == pytest.approx([0, 49 / 36, 0, 0], abs=1e-5)
    assert parts["simple"].tolist() == pytest.approx([49 / 36, 49 / 36, 0, 0], abs=1e-5)


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
        parts[part].sum().backward()
        assert output.grad[:, trained].abs().sum((1, 2, 3)).gt(0).all(), part
        assert not output.grad[:, left].any(), part


def test_the_network_is_given_the_noisy_frame_and_its_step():
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


def test_defaults_are_the_papers():
    config = DiffusionConfig()
    assert (config.steps, config.prediction) == (1000, "epsilon")
    assert (config.lambda_vlb, config.lambda_ls) == (1e-4, 0.2)
