"""The samplers by name: `ancestral`, `ddim`, `dpm` and `sde`, each a function in a file of its own.

A sampler steps through a schedule from its last step to its first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

from model.diffusion.ancestral import ancestral
from model.diffusion.ddim import ddim
from model.diffusion.dpm_solver import dpm, sde

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from model.diffusion.prediction import Denoised
    from model.diffusion.schedule import Schedule

SamplerName = Literal["ancestral", "ddim", "dpm", "sde"]
SamplerChoice = Literal["auto", "ancestral", "ddim", "dpm", "sde"]


class Sampler(Protocol):
    """The signature of every sampler."""

    def __call__(
        self,
        denoise: Callable[[Tensor, int], Denoised],
        x: Tensor,
        noise: Callable[[], Tensor],
        schedule: Schedule,
    ) -> Tensor:
        """Draws frames.

        Args:
            denoise: the network with its conditions bound: noisy frames and the index of the step
                in the schedule, to what it makes of them.
            x: (B, 3, S, S) where the sampler begins, noise or noisy frames.
            noise: gives (B, 3, S, S) standard normal noise, drawn for each clip from its own
                generator, so that a clip comes out the same by itself and in a batch.
            schedule: the steps.

        Returns:
            (B, 3, S, S) frames in [-1, 1].
        """
        ...


SAMPLERS: dict[str, Sampler] = {"ancestral": ancestral, "ddim": ddim, "dpm": dpm, "sde": sde}
