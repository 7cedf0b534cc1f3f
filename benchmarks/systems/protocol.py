"""The paper's test protocol: the first frame and the speech of every test clip to a video of it.

Identity is a clip's first frame, the speech is its own, and at most 100 frames of it are drawn.
What comes out is called like the clip, so that `dh-bench score` finds its counterpart.
"""

from __future__ import annotations

import itertools
import tarfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from benchmarks.systems.generation_recipe import check_speech, claim, recipe
from model.checkpoints.checkpoint import load_talking_head, resolve
from model.device import choose_device, choose_precision
from model.sampling.autoregressive import generate_frames, make_denoiser
from model.sampling.sample_config import SampleConfig, choose_sampler
from model.sampling.talking_video import tags
from pipeline.dataset.shards import read_samples, shard_paths
from pipeline.errors import UserError
from pipeline.media import Audio, write_video
from pipeline.progress import progress

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from model.checkpoints.checkpoint import CheckpointInfo
    from model.device import Precision
    from model.diffusion.samplers import SamplerChoice
    from model.network.talking_head import TalkingHead
    from pipeline.progress import Step


@dataclass(frozen=True)
class ProtocolOptions:
    """What is drawn, and how.

    Attributes:
        split: of the data set.
        max_frames: the most frames drawn of a clip; 0 draws all. The paper's is 100.
        clips: only the first so many clips; None takes all.
        sampler: see `model.diffusion.samplers`; `auto` see
            `model.sampling.sample_config.choose_sampler`.
        steps: network calls a frame; 0 is the sampler's own number. The paper's is 200, with the
            sampler `ancestral`.
        seed: of the noise; clip i of the split uses seed + i.
        batch: clips drawn side by side.
        device: `auto` takes CUDA, else MPS, else the CPU.
        precision: `auto` takes bf16 where the processor computes in it.
        start: where a frame begins; this and the next two see
            `model.sampling.sample_config.SampleConfig`.
        noise_correlation: of a frame's noise with that of the frame before.
        reanchor: frames until the identity frame is shown again; 0 is never.
    """

    split: str = "test"
    max_frames: int = 100
    clips: int | None = None
    sampler: SamplerChoice = "auto"
    steps: int = 0
    seed: int = 0
    batch: int = 8
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Precision = "auto"
    start: Literal["auto", "noise", "previous"] = "auto"
    noise_correlation: float | None = None
    reanchor: int = 0


@dataclass(frozen=True)
class Clip:
    """A clip without a video yet.

    Attributes:
        place: in the split.
        key: of its sample; the video is called like it.
        face: (S, S, 3) uint8, the first frame.
        speech: (T, F) features of the T frames to draw.
        audio: its sound.
    """

    place: int
    key: str
    face: NDArray[np.uint8]
    speech: NDArray[np.float32]
    audio: Audio


def missing_clips(data: Path, out: Path, options: ProtocolOptions) -> Iterator[Clip]:
    """The clips of the split that have no video in `out`, one in memory at a time.

    Raises:
        UserError: no finished data set, no clip of that split in it, or damage to it.
    """
    samples = itertools.islice(read_samples(data, options.split), options.clips)
    try:
        for place, sample in enumerate(samples):
            if not (out / f"{sample.key}.mp4").exists():
                speech = sample.speech[: options.max_frames or None]
                yield Clip(place, sample.key, sample.frames[0], speech, Audio(sample.audio))
    except (ValueError, tarfile.TarError, OSError) as error:
        raise UserError(
            f"{data} does not read ({error}); dh-prep check {data} tells more"
        ) from error


def generate_clips(
    data: Path,
    checkpoint: Path,
    out: Path,
    options: ProtocolOptions | None = None,
) -> Iterator[Path]:
    """Draws the missing videos of a split and yields each once it is written.

    A video does not depend on which others were there before: its noise is seeded by its place in
    the split. (Batches of another size round differently.)

    Args:
        data: a data set made by dh-prep.
        checkpoint: a file, or a run's folder.
        out: the videos' folder; an interrupted run with the same recipe carries on in it.
        options: what is drawn, and how.

    Raises:
        UserError: the data set or the checkpoint cannot be used, or `out` holds other files.
    """
    options = options or ProtocolOptions()
    path, device = resolve(checkpoint), choose_device(options.device)
    model, info = load_talking_head(path, device)
    precision = choose_precision(options.precision, device)
    config = choose_sampler(
        SampleConfig(
            options.sampler,
            options.steps,
            seed=options.seed,
            precision=precision,
            reanchor=options.reanchor,
            start=options.start,
            noise_correlation=options.noise_correlation,
        ),
        info.preset.diffusion.prediction,
    )
    shard_paths(data, options.split)  # an absent split is told before anything is written
    check_speech(data, info)
    claim(out, recipe(data, path, info, config, split=options.split, frames=options.max_frames))
    frames = sum(len(clip.speech) for clip in missing_clips(data, out, options))
    with progress("frames", frames) as step:
        for batch in _neighbours(missing_clips(data, out, options), options.batch):
            # generate_frames() adds the place in the batch.
            seeded = replace(config, seed=config.seed + batch[0].place)
            yield from _draw(model, info, batch, out, seeded, step)


def _neighbours(clips: Iterable[Clip], most: int) -> Iterator[list[Clip]]:
    """Batches of at most `most` clips whose places follow each other."""
    batch: list[Clip] = []
    for clip in clips:
        if batch and (len(batch) == most or clip.place != batch[-1].place + 1):
            yield batch
            batch = []
        batch.append(clip)
    if batch:
        yield batch


def _draw(
    model: TalkingHead,
    info: CheckpointInfo,
    batch: list[Clip],
    out: Path,
    config: SampleConfig,
    step: Step,
) -> Iterator[Path]:
    """Draws clips side by side and writes them."""
    faces, speech = [clip.face for clip in batch], [clip.speech for clip in batch]
    drawn: list[list[NDArray[np.uint8]]] = [[] for _ in batch]
    denoiser = make_denoiser(model, info.preset, config)
    for frames in generate_frames(denoiser, info.preset, faces, speech, config):
        for video, frame in zip(drawn, frames, strict=True):
            if frame is not None:
                video.append(frame)
                step()
    for place, (clip, video) in enumerate(zip(batch, drawn, strict=True)):
        path = out / f"{clip.key}.mp4"
        write_video(path, video, audio=clip.audio, metadata=tags(config, config.seed + place))
        yield path
