"""Autoregressive generation: a frame is drawn from the identity, the last two and the speech."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from model.data import as_tensor, grey, speech_windows, to_pixels, to_unit
from model.diffusion import cosine_schedule, respace
from model.network import Conditions
from model.samplers import SAMPLERS, SamplerName

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from model.diffusion import Schedule, Spacing
    from model.network import TalkingHead
    from model.presets import Preset


@dataclass(frozen=True)
class SampleConfig:
    """How frames are drawn.

    Attributes:
        sampler: see `model.samplers`.
        steps: network calls a frame.
        spacing: of the steps, see `model.diffusion.respace`; `auto` is `uniform` for the ancestral
            sampler (the paper) and `quadratic` for the others.
        seed: of the noise; clip i of a batch uses seed + i.
        precision: `bf16` or `float32` arithmetic in the network.
    """

    sampler: SamplerName = "ddim"
    steps: int = 10
    spacing: Literal["auto", "uniform", "quadratic"] = "auto"
    seed: int = 0
    precision: str = "float32"


@torch.no_grad()
def generate(
    model: TalkingHead,
    preset: Preset,
    identities: list[NDArray[np.uint8]],
    speech: list[NDArray[np.float32]],
    config: SampleConfig,
    *,
    seeds: Sequence[int] | None = None,
) -> Iterator[list[NDArray[np.uint8] | None]]:
    """Draws the frames of several clips side by side, frame by frame.

    Both motion frames start as the identity frame, then slide over what was drawn.

    Args:
        model: with averaged weights, in eval mode.
        preset: of the model.
        identities: (H, W, 3) uint8 aligned crops, one a clip.
        speech: (T_i, F) features, one a clip.
        config: how to draw.
        seeds: of each clip's noise; None counts up from the config's.

    Yields:
        For each k the k-th frame of every clip, (S, S, 3) uint8; None once a clip has ended.
    """
    device = next(model.parameters()).device
    unet = preset.unet
    schedule = _schedule(preset.diffusion.steps, config)
    identity = torch.stack([as_tensor(face, unet.image_size) for face in identities]).to(device)
    identity = to_unit(identity)
    windows = [torch.from_numpy(speech_windows(part, unet.speech_context)) for part in speech]
    lengths = [len(part) for part in windows]
    seeds = seeds or range(config.seed, config.seed + len(windows))
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    motion = [identity] * unet.motion_frames
    for k in range(max(lengths)):
        # Clips that have ended keep their last window: cheap, and the others are not disturbed.
        now = torch.stack([part[min(k, len(part) - 1)] for part in windows]).to(device)
        before = torch.cat([grey(m) if unet.motion_channels == 1 else m for m in motion], dim=1)
        frame = _draw(
            model, preset, Conditions(identity, before, now), schedule, generators, config
        )
        # The next frame sees what a viewer sees: eight bits, as the training frames had.
        pixels = to_pixels(frame)
        motion = [*motion[1:], to_unit(pixels)]
        shown = pixels.permute(0, 2, 3, 1).cpu().numpy()
        yield [
            np.ascontiguousarray(image) if k < length else None
            for image, length in zip(shown, lengths, strict=True)
        ]


def _schedule(steps: int, config: SampleConfig) -> Schedule:
    """The steps that the sampler walks."""
    automatic: Spacing = "uniform" if config.sampler == "ancestral" else "quadratic"
    spacing = automatic if config.spacing == "auto" else config.spacing
    return respace(cosine_schedule(steps), config.steps, spacing)


def _draw(
    model: TalkingHead,
    preset: Preset,
    conditions: Conditions,
    schedule: Schedule,
    generators: list[torch.Generator],
    config: SampleConfig,
) -> Tensor:
    """One frame of every clip: (B, 3, S, S) in [-1, 1]."""
    device = conditions.identity.device
    shape = conditions.identity.shape[1:]

    def noise() -> Tensor:
        drawn = [torch.randn(shape, generator=generator) for generator in generators]
        return torch.stack(drawn).to(device)

    def denoise(x: Tensor, t: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=config.precision == "bf16"):
            output: Tensor = model(x, t, conditions)
        return output

    return SAMPLERS[config.sampler](denoise, noise, schedule, preset.diffusion.prediction)
