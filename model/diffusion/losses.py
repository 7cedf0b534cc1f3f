"""The loss of the diffusion and its parts: L_simple + λ_vlb L_vlb + λ_ls L_ls (eq. 19)."""

from collections.abc import Callable

import torch
from torch import Tensor

from model.config.architecture import DiffusionConfig
from model.diffusion.identity_prior import IdentityPrior
from model.diffusion.lip_loss import lip_loss
from model.diffusion.prediction import denoise_output, prediction_target
from model.diffusion.schedule import Schedule
from model.diffusion.vlb import variational_bound


def diffusion_losses(
    network: Callable[[Tensor, Tensor], Tensor],
    x0: Tensor,
    mouth: Tensor,
    t: Tensor,
    noise: Tensor,
    schedule: Schedule,
    config: DiffusionConfig,
    prior: IdentityPrior | None = None,
) -> dict[str, Tensor]:
    """The parts of the loss for each frame of the batch, (B,), by name, before their weights.

    `simple` is the mean squared error of the prediction, `vlb` the variational bound in bits per
    dimension, `lip` the error inside the mouth box (eq. 18).

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
    return {"simple": error.mean((1, 2, 3)), "vlb": bound, "lip": lip_loss(error, mouth)}
