"""The loss of the diffusion and its parts: L_simple + λ_vlb L_vlb + λ_ls L_ls (eq. 19)."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from model.config.architecture import DiffusionConfig
from model.diffusion.identity_prior import IdentityPrior
from model.diffusion.lip_loss import lip_loss
from model.diffusion.prediction import denoise_output, prediction_target
from model.diffusion.schedule import Schedule
from model.diffusion.vlb import variational_bound


@dataclass(frozen=True)
class Losses:
    """Each part of the loss for each frame of the batch, (B,), before its weight."""

    simple: Tensor  # mean squared error of the prediction
    vlb: Tensor  # variational bound in bits per dimension
    lip: Tensor  # mean squared error of the prediction inside the mouth box (eq. 18).

    def total(self, config: DiffusionConfig) -> Tensor:
        """L_simple + λ_vlb L_vlb + λ_ls L_ls (eq. 19), averaged over the batch."""
        weighted = self.simple + config.lambda_vlb * self.vlb + config.lambda_ls * self.lip
        return weighted.mean()


def diffusion_losses(
    network: Callable[[Tensor, Tensor], Tensor],
    x0: Tensor,
    mouth: Tensor,
    t: Tensor,
    noise: Tensor,
    schedule: Schedule,
    config: DiffusionConfig,
    prior: IdentityPrior | None = None,
) -> Losses:
    """The parts of the training loss.

    `network` maps x_t and step to (B, 6, S, S), the conditions already bound; x0 are (B, 3, S, S)
    clean target frames in [-1, 1], `mouth` their (B, 4) boxes, t (B,) steps of the full schedule,
    which is of residuals if there is a prior; `noise` is (B, 3, S, S) standard normal.
    """
    if prior is not None:
        x0 = prior.residual(x0)
    # Forward process, one call of the network, and what it should have predicted.
    x = schedule.add_noise(x0, noise, t)  # (B, 3, S, S)
    output = network(x, schedule.steps.to(t.device)[t]).float()  # (B, 6, S, S)
    target = prediction_target(x0, noise, t, schedule, config.prediction)
    error = (output[:, :3] - target) ** 2
    # The bound trains ν alone; through the mean it would only add noise to the gradient.
    detached = torch.cat([output[:, :3].detach(), output[:, 3:]], dim=1)
    estimate = denoise_output(detached, x, t, schedule, config.prediction, prior)
    bound = variational_bound(estimate, x0, x, t, schedule, prior)
    return Losses(error.mean((1, 2, 3)), bound, lip_loss(error, mouth))
