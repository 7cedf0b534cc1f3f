"""The test protocol with our model, see `benchmarks.systems.protocol`."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from benchmarks.systems.protocol import claim, data_recipe, missing_clips, video_path, write_clip
from benchmarks.systems.protocol_options import ProtocolClips
from model.checkpoints.checkpoint import CheckpointInfo, load_talking_head, resolve
from model.config.choices import Device, Precision
from model.device import choose_device, choose_precision
from model.network.talking_head import SpeechFormat
from model.sampling.autoregressive import generate_frames, make_denoiser
from model.sampling.sample_config import SampleConfig, choose_sampler
from model.sampling.talking_video import tags
from pipeline.dataset.shards import read_dataset, shard_paths
from pipeline.errors import UserError
from pipeline.files import sha256_file
from pipeline.progress import progress

# Options of the sampler that shape a video.
_SAMPLING = (
    "sampler", "steps", "spacing", "start", "start_step", "noise_correlation", "reanchor", "seed",
    "precision",
)  # fmt: skip


@dataclass(frozen=True)
class DrawingOptions:
    """How clips are drawn.

    Attributes:
        clips: which.
        batch: clips drawn side by side.
        device: `auto` takes CUDA, else MPS, else the CPU.
        sampling: sampler, steps and seed; clip i of the split uses seed + i. The paper's is the
            sampler `ancestral` in 200 steps. Precision `auto` takes bf16 where the processor
            computes in it.
    """

    clips: ProtocolClips = field(default_factory=ProtocolClips)
    batch: int = 8
    device: Device = "auto"
    sampling: SampleConfig = field(default_factory=lambda: SampleConfig(precision="auto"))


def generate_clips(
    data: Path, checkpoint: Path, out: Path, options: DrawingOptions | None = None
) -> Iterator[Path]:
    """Draws the missing videos of a split and yields each once it is written.

    A video does not depend on which others were there before: its noise is seeded by its place in
    the split. (Batches of another size round differently.)
    """
    options = options or DrawingOptions()
    most = options.clips.max_frames or None

    # The model, and how it draws.
    path, device = resolve(checkpoint), choose_device(options.device)
    model, info = load_talking_head(path, device)
    precision = choose_precision(cast("Precision", options.sampling.precision), device)
    config = choose_sampler(replace(options.sampling, precision=precision), info.preset.diffusion)

    denoiser = make_denoiser(model, info.preset, config)

    # Whatever is wrong with the data is reported before anything is written.
    shard_paths(data, options.clips.split)
    _check_speech(data, info)
    model_recipe = {
        "checkpoint": str(path.resolve()),
        "checkpoint_sha256": sha256_file(path),
        "preset": info.preset.name,
        "step": info.step,
        **{name: getattr(config, name) for name in _SAMPLING},
    }
    claim(out, model_recipe | data_recipe(data, options.clips))

    # Batches of clips side by side, a video each.
    frames = sum(len(sample.speech[:most]) for _, sample in missing_clips(data, out, options.clips))
    missing = missing_clips(data, out, options.clips)
    with progress("frames", frames) as step:
        while batch := list(itertools.islice(missing, options.batch)):
            seeds = [config.seed + place for place, _ in batch]
            faces = [sample.frames[0] for _, sample in batch]  # (S, S, 3) each
            speech = [sample.speech[:most] for _, sample in batch]  # (T, F) each
            videos: list[list[NDArray[np.uint8]]] = [[] for _ in batch]
            for drawn in generate_frames(denoiser, info.preset, faces, speech, config, seeds):
                for video, frame in zip(videos, drawn, strict=True):
                    if frame is not None:
                        video.append(frame)
                        step()
            for (_, sample), video, seed in zip(batch, videos, seeds, strict=True):
                target = video_path(out, sample.key, options.clips)
                write_clip(target, video, sample.audio, tags(config, seed))
                yield target


def _check_speech(data: Path, info: CheckpointInfo) -> None:
    """Raises a UserError if a data set has other speech features than a checkpoint takes."""
    given = SpeechFormat.of(read_dataset(data)["speech"])
    if not given.fits(info.speech):
        taken, found = (
            f"{one.name} of {one.steps} x {one.coefficients} {one.encoder[:10]}".rstrip()
            for one in (info.speech, given)
        )
        raise UserError(
            f"the checkpoint takes speech features {taken}, {data} has {found}; prepare it as the "
            "training data was"
        )
