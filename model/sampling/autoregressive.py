"""Autoregressive generation: each frame from the identity frame, the last frames and the speech."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.config.architecture import Prediction
from model.config.presets import Preset
from model.data.training_frame import as_tensor, grey, to_pixels, to_unit
from model.device import few_threads
from model.diffusion.correlated_noise import CorrelatedNoise
from model.diffusion.identity_prior import IdentityPrior, prior_of
from model.diffusion.prediction import Denoised, denoise_output
from model.diffusion.samplers import SAMPLERS
from model.network.talking_head import TalkingHead
from model.network.unet import UNet
from model.sampling.denoiser import Denoiser, FrameDenoiser, ScriptedDenoiser, call_flops
from model.sampling.sample_config import SampleConfig, choose_sampler, sampling_schedule


def make_denoiser(model: TalkingHead, preset: Preset, config: SampleConfig) -> FrameDenoiser:
    """The model (averaged weights, eval mode) prepared for a sampler; good for any videos."""
    config = choose_sampler(config, preset.diffusion)
    schedule = sampling_schedule(preset.diffusion, config)
    network: nn.Module = model.unet
    if not isinstance(network, UNet):
        return ScriptedDenoiser(model, schedule)
    return Denoiser(model, schedule, precision=config.precision, compiled=config.compiled)


def generate_frames(
    denoiser: FrameDenoiser,
    preset: Preset,
    identities: list[NDArray[np.uint8]],
    speech: Sequence[Iterable[NDArray[np.float32]]],
    config: SampleConfig,
    seeds: Sequence[int] | None = None,
    *,
    choose: Callable[[int], FrameDenoiser | None] | None = None,
) -> Iterator[list[NDArray[np.uint8] | None]]:
    """Draws the frames of several clips side by side, frame by frame.

    Both motion frames start as the identity frame, then slide over the drawn frames. No more of the
    speech is read than the frame needs, so that memory does not grow with its length.

    Args:
        denoiser: what `make_denoiser` gave for this config.
        preset: of the model.
        identities: (H, W, 3) uint8 aligned crops, one a clip.
        speech: (T_i, F) features, one a clip, or an iterable of their rows; one row at least.
        config: how to draw.
        seeds: of each clip's noise; None counts up from the config's.
        choose: for live video, which denoiser draws frame k, all of one model and precision; None
            shows the frame before once more.

    Yields:
        For each k the k-th frame of every clip, (S, S, 3) uint8; None once a clip has ended.
    """
    unet, diffusion = preset.unet, preset.diffusion
    config = choose_sampler(config, diffusion)
    sampler = SAMPLERS[config.sampler]
    flops = len(identities) * call_flops(unet)

    # Once a clip: the identity frames, which also stand in for the frames before the first.
    crops = torch.stack([as_tensor(face, unet.image_size) for face in identities])  # (B, 3, S, S)
    identity = to_unit(crops.to(denoiser.device))
    with few_threads(flops), torch.no_grad():
        encoded_identity = denoiser.encode_identity(identity)
    prior = prior_of(identity, diffusion)
    motion = [identity] * unet.motion_frames
    seeds = seeds or range(config.seed, config.seed + len(identities))
    noise = CorrelatedNoise(seeds, identity, config.noise_correlation or 0.0)
    windows = _speech_windows(denoiser, speech, unet.speech_context)
    images = to_pixels(identity).permute(0, 2, 3, 1).cpu().numpy()  # (B, S, S, 3)

    for k in itertools.count():
        # The caller's work between two frames keeps its own number of threads.
        with few_threads(flops), torch.no_grad():
            # 1. What all steps of the frame share: identity, motion frames and speech.
            window, present = next(windows, (None, []))  # (B, 2 m_y + 1, base), B flags
            if window is None:
                return
            drawer = choose(k) if choose else denoiser
            if drawer is not None:
                if config.reanchor and k and k % config.reanchor == 0:
                    motion[0] = identity
                before = [grey(frame) if unet.motion_channels == 1 else frame for frame in motion]
                conditions = drawer.prepare_frame(
                    encoded_identity, torch.cat(before, dim=1), window
                )
                denoise = partial(_denoise, drawer, conditions, diffusion.prediction, prior)

                # 2. The sampler begins at noise, or at the frame before with noise added.
                draw_noise = noise.next_frame()
                x = draw_noise()  # (B, 3, S, S)
                if config.start == "previous":
                    begin = prior.residual(motion[-1]) if prior else motion[-1]
                    x = drawer.schedule.add_noise(begin, x, len(drawer.schedule) - 1)
                frame = sampler(denoise, x, draw_noise, drawer.schedule)
                if prior:
                    frame = prior.frames(frame)

                # 3. The next frame is given what a viewer sees: eight bits, as in training.
                pixels = to_pixels(frame)
                motion = [*motion[1:], to_unit(pixels)]
                images = pixels.permute(0, 2, 3, 1).cpu().numpy()
        yield [
            np.ascontiguousarray(image) if exists else None
            for image, exists in zip(images, present, strict=True)
        ]


def _denoise(
    denoiser: FrameDenoiser,
    conditions: Any,
    prediction: Prediction,
    prior: IdentityPrior | None,
    x: Tensor,
    index: int,
) -> Denoised:
    """One call of the network, (B, 3, S, S) noisy frames to what it makes of them."""
    output = denoiser.step(x, index, conditions)  # (B, 6, S, S)
    return denoise_output(output, x, index, denoiser.schedule, prediction, prior)


def _speech_windows(
    denoiser: FrameDenoiser, speech: Sequence[Iterable[NDArray[np.float32]]], context: int
) -> Iterator[tuple[Tensor, list[bool]]]:
    """For each frame the (B, 2 context + 1, base) embeddings around it, and who has the frame.

    Edges are repeated. Clips that have ended keep their last window: cheap, and the others are not
    disturbed.
    """
    window: deque[Tensor] = deque(maxlen=2 * context + 1)
    present: deque[list[bool]] = deque(maxlen=context + 1)
    for k, (rows, exist) in enumerate(_rows(speech)):
        embedding = denoiser.encode_speech(torch.from_numpy(rows).to(denoiser.device))  # (B, base)
        window.extend([embedding] * (1 if k else context + 1))
        present.append(exist)
        if k >= context:
            if not any(present[0]):
                return
            yield torch.stack(tuple(window), dim=1), present[0]


def _rows(
    speech: Sequence[Iterable[NDArray[np.float32]]],
) -> Iterator[tuple[NDArray[np.float32], list[bool]]]:
    """Row k of every clip, (B, F), and which clips have it; the last is repeated without end."""
    iterators = [iter(features) for features in speech]
    last: dict[int, NDArray[np.float32]] = {}
    while True:
        rows = [next(features, None) for features in iterators]
        last |= {clip: row for clip, row in enumerate(rows) if row is not None}
        if len(last) < len(rows):
            raise ValueError("a clip has not one row of speech")
        yield np.stack([last[clip] for clip in range(len(rows))]), [row is not None for row in rows]
