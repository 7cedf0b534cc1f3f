"""Autoregressive generation: a frame is drawn from the identity, the last two and the speech."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch

from model.data.training_frame import as_tensor, grey, to_pixels, to_unit
from model.device import few_threads
from model.diffusion.noise import FrameNoise
from model.diffusion.process import Schedule, cosine_schedule, respace
from model.diffusion.samplers import SAMPLERS, SamplerChoice, SamplerName
from model.network.unet import UNet
from model.sampling.denoiser import Denoiser, WholeDenoiser, call_flops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from model.config.architecture import Prediction
    from model.config.presets import Preset
    from model.diffusion.process import Spacing
    from model.network.talking_head import TalkingHead
    from model.sampling.denoiser import Stepper


# Network calls a frame unless told otherwise: the paper's number, and for the others the fewest
# that measured as good; and where they begin if they begin at the previous frame
# (benchmarks/speed/RESULTS.md, Samplers).
_CALLS: dict[str, int] = {"ancestral": 200, "ddim": 10, "dpm": 6, "sde": 10}
_START_STEP: dict[str, int] = {"ancestral": 600, "ddim": 600, "dpm": 600, "sde": 800}
# Of the samplers whose noise is all in where they begin: against flicker, see the same tables.
_CORRELATION: dict[str, float] = {"ddim": 0.8, "dpm": 0.8}


@dataclass(frozen=True)
class SampleConfig:
    """How frames are drawn.

    Attributes:
        sampler: see `model.diffusion.samplers`; `auto` see `choose_sampler`.
        steps: network calls a frame; 0 is the sampler's own number, see `choose_sampler`.
        spacing: of the steps, see `model.diffusion.process.respace`; `auto` is `uniform` for the
            ancestral sampler (the paper) and `quadratic` for the others.
        seed: of the noise; clip i of a batch uses seed + i.
        precision: `bf16` or `float32` arithmetic in the network.
        compiled: let torch.compile fuse the network.
        reanchor: the older motion frame is replaced by the identity frame every so many frames,
            against the slow drift of long videos; the authors' value is 15, 0 is never.
        start: `noise`, the paper's; `previous`: the frame before, made noisy as far as
            `start_step`, so that the steps there are go to what changes from frame to frame; `auto`
            see `choose_sampler`.
        start_step: of the full diffusion, where a frame begins if it begins at the previous one; 0
            is the sampler's own.
        noise_correlation: of a frame's noise with that of the frame before, see
            `model.diffusion.noise`; None is the sampler's own.
    """

    sampler: SamplerChoice = "auto"
    steps: int = 0
    spacing: Literal["auto", "uniform", "quadratic"] = "auto"
    seed: int = 0
    precision: str = "float32"
    compiled: bool = False
    reanchor: int = 0
    start: Literal["auto", "noise", "previous"] = "auto"
    start_step: int = 0
    noise_correlation: float | None = None


def choose_sampler(config: SampleConfig, prediction: Prediction) -> SampleConfig:
    """The config with all that is `auto` chosen: what is walked, and what is to be recorded.

    The sampler `auto` is the cheapest setting within noise of 200 ancestral steps: for networks
    that predict v `dpm` in 6 calls, for those that predict ε, such as the authors', `sde` in 10
    from the frame before. With another number of steps it is the same sampler in so many. The
    tables, and on what they were measured, are in benchmarks/speed/RESULTS.md, Samplers.

    Args:
        config: what is wanted.
        prediction: of the network.
    """
    sampler: SamplerName
    if config.sampler == "auto":
        sampler = "sde" if prediction == "epsilon" else "dpm"
    else:
        sampler = config.sampler
    start = config.start
    if start == "auto":
        # Where ε is predicted, x0 at the first steps is a division by next to nothing. Many small
        # steps get over it; of few, the first leaves noise that the next take for a picture.
        few = prediction == "epsilon" and sampler != "ancestral"
        start = "previous" if few else "noise"
    correlation = config.noise_correlation
    if correlation is None:
        # The frame before carries its own grain along already.
        correlation = _CORRELATION.get(sampler, 0.0) if start == "noise" else 0.0
    return replace(
        config,
        sampler=sampler,
        steps=config.steps or _CALLS[sampler],
        start=start,
        start_step=(config.start_step or _START_STEP[sampler]) if start == "previous" else 0,
        noise_correlation=correlation,
    )


def generate(
    model: TalkingHead,
    preset: Preset,
    identities: list[NDArray[np.uint8]],
    speech: Sequence[Iterable[NDArray[np.float32]]],
    config: SampleConfig,
    *,
    seeds: Sequence[int] | None = None,
) -> Iterator[list[NDArray[np.uint8] | None]]:
    """Draws the frames of several clips side by side, frame by frame; see `draw`.

    Args:
        model: with averaged weights, in eval mode.
        preset: of the model.
        identities: (H, W, 3) uint8 aligned crops, one a clip.
        speech: (T_i, F) features, one a clip, or an iterable of their rows.
        config: how to draw.
        seeds: of each clip's noise; None counts up from the config's.
    """
    return draw(make_denoiser(model, preset, config), preset, identities, speech, config, seeds)


def make_denoiser(model: TalkingHead, preset: Preset, config: SampleConfig) -> Stepper:
    """The model bound to the steps that the sampler walks; good for any number of videos."""
    schedule = walked(preset.diffusion.steps, choose_sampler(config, preset.diffusion.prediction))
    network: nn.Module = model.unet
    if not isinstance(network, UNet):
        return WholeDenoiser(model, schedule)
    return Denoiser(model, schedule, precision=config.precision, compiled=config.compiled)


@torch.no_grad()
def draw(
    denoiser: Stepper,
    preset: Preset,
    identities: list[NDArray[np.uint8]],
    speech: Sequence[Iterable[NDArray[np.float32]]],
    config: SampleConfig,
    seeds: Sequence[int] | None = None,
) -> Iterator[list[NDArray[np.uint8] | None]]:
    """Draws the frames of several clips side by side, frame by frame.

    Both motion frames start as the identity frame, then slide over what was drawn. Of the speech no
    more is read than the frame needs, so that memory does not grow with its length.

    Args:
        denoiser: what `make_denoiser` gave for this config.
        preset: of the model.
        identities: (H, W, 3) uint8 aligned crops, one a clip.
        speech: (T_i, F) features, one a clip, or an iterable of their rows.
        config: how to draw.
        seeds: of each clip's noise; None counts up from the config's.

    Yields:
        For each k the k-th frame of every clip, (S, S, 3) uint8; None once a clip has ended.

    Raises:
        ValueError: a clip has not one row of speech.
    """
    config = choose_sampler(config, preset.diffusion.prediction)
    frames = _drawn(denoiser, preset, identities, speech, config, seeds)
    while True:
        with few_threads(len(identities) * call_flops(preset.unet)):
            made = next(frames, None)
        if made is None:
            return
        yield made


def _drawn(
    denoiser: Stepper,
    preset: Preset,
    identities: list[NDArray[np.uint8]],
    speech: Sequence[Iterable[NDArray[np.float32]]],
    config: SampleConfig,
    seeds: Sequence[int] | None,
) -> Iterator[list[NDArray[np.uint8] | None]]:
    """What `draw` yields."""
    unet = preset.unet
    faces = torch.stack([as_tensor(face, unet.image_size) for face in identities])
    identity = to_unit(faces.to(denoiser.device))
    known = denoiser.identify(identity)
    seeds = seeds or range(config.seed, config.seed + len(identities))
    noise = FrameNoise(seeds, identity, config.noise_correlation or 0.0)
    motion = [identity] * unet.motion_frames
    for k, (sound, there) in enumerate(_heard(denoiser, speech, unet.speech_context)):
        if config.reanchor and k and k % config.reanchor == 0:
            motion[0] = identity
        before = torch.cat([grey(m) if unet.motion_channels == 1 else m for m in motion], dim=1)
        prepared = denoiser.prepare(known, before, sound)
        frame = _walk(denoiser, preset, prepared, motion[-1], noise.next_frame(), config)
        # The next frame sees what a viewer sees: eight bits, as the training frames had.
        pixels = to_pixels(frame)
        motion = [*motion[1:], to_unit(pixels)]
        shown = pixels.permute(0, 2, 3, 1).cpu().numpy()
        yield [
            np.ascontiguousarray(image) if alive else None
            for image, alive in zip(shown, there, strict=True)
        ]


def walked(steps: int, config: SampleConfig) -> Schedule:
    """The steps that the sampler walks, one that is chosen."""
    automatic: Spacing = "uniform" if config.sampler == "ancestral" else "quadratic"
    spacing = automatic if config.spacing == "auto" else config.spacing
    full = cosine_schedule(steps)
    if config.start == "previous":
        full = Schedule(full.steps[: config.start_step], full.alpha_bar[: config.start_step])
    return respace(full, config.steps, spacing)


def _walk(
    denoiser: Stepper,
    preset: Preset,
    prepared: Any,
    previous: Tensor,
    noise: Callable[[], Tensor],
    config: SampleConfig,
) -> Tensor:
    """One frame of every clip: (B, 3, S, S) in [-1, 1]."""
    schedule = denoiser.schedule

    def denoise(x: Tensor, index: int) -> Tensor:
        return denoiser.step(x, index, prepared)

    x = noise()
    if config.start == "previous":
        x = schedule.add_noise(previous, x, len(schedule) - 1)
    return SAMPLERS[config.sampler](denoise, x, noise, schedule, preset.diffusion.prediction)


def _heard(
    denoiser: Stepper, speech: Sequence[Iterable[NDArray[np.float32]]], context: int
) -> Iterator[tuple[Tensor, list[bool]]]:
    """The embeddings around each frame, edges repeated, and which of the clips have that frame.

    Clips that have ended keep their last window: cheap, and the others are not disturbed.
    """
    around: deque[Tensor] = deque(maxlen=2 * context + 1)
    there: deque[list[bool]] = deque(maxlen=context + 1)
    for k, (rows, alive) in enumerate(_rows(speech)):
        embedding = denoiser.encode(torch.from_numpy(rows).to(denoiser.device))
        around.extend([embedding] * (1 if k else context + 1))
        there.append(alive)
        if k >= context:
            if not any(there[0]):
                return
            yield torch.stack(tuple(around), dim=1), there[0]


def _rows(
    speech: Sequence[Iterable[NDArray[np.float32]]],
) -> Iterator[tuple[NDArray[np.float32], list[bool]]]:
    """Row k of every clip, (B, F), and which of them have it; the last is repeated without end."""
    iterators = [iter(part) for part in speech]
    read = [next(rows, None) for rows in iterators]
    last = [row for row in read if row is not None]
    if len(last) < len(iterators):
        raise ValueError("a clip has not one row of speech")
    while True:
        yield np.stack(last), [row is not None for row in read]
        read = [next(rows, None) for rows in iterators]
        last = [old if new is None else new for old, new in zip(last, read, strict=True)]
