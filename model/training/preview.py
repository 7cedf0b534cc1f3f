"""A strip of sampled frames above the real ones: what training looks at now and then."""

from pathlib import Path

import torch
from torch import Tensor

from model.config.presets import Preset
from model.data.training_frame import as_tensor
from model.network.talking_head import TalkingHead
from model.sampling.autoregressive import generate_frames, make_denoiser
from model.sampling.sample_config import SampleConfig
from pipeline.dataset.shards import read_dataset, read_samples

_FRAMES = 12


def draw_strip(model: TalkingHead, preset: Preset, data: Path, seed: int) -> Tensor:
    """Generates the first frames of a clip, a test one if there is any, with the real ones below.

    (3, 2 S, 12 S) uint8; every second frame, so that about a second is seen.
    """
    splits = {shard["split"] for shard in read_dataset(data)["shards"] if shard["samples"]}
    sample = next(read_samples(data, "test" if "test" in splits else None))
    speech = sample.speech[: 2 * _FRAMES]
    config = SampleConfig(seed=seed)
    denoiser = make_denoiser(model, preset, config)
    drawn = generate_frames(denoiser, preset, [sample.frames[0]], [speech], config)
    size = preset.unet.image_size
    fake = [as_tensor(frame, size) for frames in drawn for frame in frames if frame is not None]
    real = [as_tensor(sample.frames[index], size) for index in range(len(speech))]
    rows = [torch.cat(row[::2], dim=2) for row in (fake, real)]
    return torch.cat(rows, dim=1)
