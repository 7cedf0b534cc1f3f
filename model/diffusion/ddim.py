"""DDIM: deterministic sampling in fewer steps."""

from collections.abc import Callable

from torch import Tensor

from model.diffusion.prediction import Denoise
from model.diffusion.schedule import Schedule


def ddim(
    denoise: Denoise,
    x: Tensor,
    noise: Callable[[], Tensor],  # noqa: ARG001 - none is drawn
    schedule: Schedule,
) -> Tensor:
    """DDIM without noise between steps, η = 0 (Song et al. 2021, eq. 12)."""
    for index in reversed(range(len(schedule))):
        estimate = denoise(x, index)
        before = float(schedule.alpha_bar_previous[index])
        x = before**0.5 * estimate.x0 + (1 - before) ** 0.5 * estimate.epsilon
    return x
