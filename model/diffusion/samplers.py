"""The samplers by name, each a function in a file of its own: from noise to frames.

A sampler steps through a schedule from its last step to its first. It is given

- `denoise`: the network with its conditions bound: (B, 3, S, S) noisy frames and the index of the
  step in the schedule, to a `model.diffusion.prediction.Denoised`;
- `x`: (B, 3, S, S) where it begins, noise or noisy frames;
- `noise`: gives (B, 3, S, S) standard normal noise, drawn for each clip from its own generator, so
  that a clip comes out the same by itself and in a batch;
- `schedule`: the steps;

and returns (B, 3, S, S) frames in [-1, 1].
"""

from collections.abc import Callable

from torch import Tensor

from model.diffusion.ancestral import ancestral
from model.diffusion.ddim import ddim
from model.diffusion.dpm_solver import dpm, sde
from model.diffusion.prediction import Denoise
from model.diffusion.schedule import Schedule

Sampler = Callable[[Denoise, Tensor, Callable[[], Tensor], Schedule], Tensor]

SAMPLERS: dict[str, Sampler] = {"ancestral": ancestral, "ddim": ddim, "dpm": dpm, "sde": sde}
