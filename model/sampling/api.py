"""Sampling from Python: frames one by one, as they are drawn.

from model import generate

for frame in generate("face.png", "speech.wav", "runs/mine"):
show(frame)  # (S, S, 3) uint8 RGB, 25 a second
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config.choices import Device, Precision
from model.sampling.autoregressive import generate_frames
from model.sampling.batch import LoadedModel, load
from model.sampling.inputs import crop_size, read_face, read_speech
from model.sampling.live import live_features
from model.sampling.sample_config import ModelOptions, SampleConfig
from pipeline.media import SAMPLE_RATE
from pipeline.speech.streaming import speech_samples


def load_model(
    checkpoint: Path | str,
    config: SampleConfig | None = None,
    *,
    device: Device = "auto",
    precision: Precision = "auto",
    weights_dir: Path | str | None = None,
) -> LoadedModel:
    """A checkpoint in memory, ready for any number of videos.

    Args:
        checkpoint: a .safetensors file, a run's folder (its last checkpoint), a file of the
            authors, or the name of a published checkpoint: `base`.
        config: how to draw; None is `SampleConfig()`, whose sampler is chosen for the checkpoint.
        device: `auto` takes CUDA, else MPS, else the CPU.
        precision: `auto` takes bf16 where the processor computes in it; it goes before that of
            `config`.
        weights_dir: a folder of pretrained files (the face landmarks, the authors' speech encoder);
            None looks where `dh-sample` does.

    Raises:
        UserError: the checkpoint, the device or a pretrained file cannot be used.
    """
    weights = Path(weights_dir).expanduser() if weights_dir else None
    options = ModelOptions(Path(checkpoint).expanduser(), device, precision, weights)
    return load(options, config or SampleConfig())


def generate(
    face: Path | str | NDArray[np.uint8],
    speech: Path | str | NDArray[Any] | Iterable[NDArray[Any]],
    checkpoint: Path | str | LoadedModel,
    config: SampleConfig | None = None,
    *,
    seed: int = 0,
    rate: int = SAMPLE_RATE,
) -> Iterator[NDArray[np.uint8]]:
    """Draws a talking head, frame by frame.

    Args:
        face: a picture or a video, or (H, W, 3) uint8 RGB; the face in it is found and aligned.
        speech: a recording, or (N,) int16 or float32 mono samples; or such arrays as they come, of
            a microphone say: each frame is drawn when the 0.16 s of sound after it are there.
        checkpoint: see `load_model`; or what it gave, which saves loading it for every video.
        config: how to draw. A loaded model has its own already, and takes none here.
        seed: of the noise; the same seed gives the same frames.
        rate: of samples in arrays, Hz; a recording has its own.

    Yields:
        (S, S, 3) uint8 RGB, 25 frames a second of speech; S is the model's `image_size`.

    Raises:
        UserError: face, speech or checkpoint cannot be used, or arrays are of another kind.
        ValueError: both a loaded model and a config are given.
    """
    if isinstance(checkpoint, LoadedModel):
        if config is not None:
            raise ValueError("a loaded model has its config already: give it to load_model")
        loaded = checkpoint
    else:
        loaded = load_model(checkpoint, config)
    preset = loaded.info.preset
    picture = face if isinstance(face, np.ndarray) else Path(face).expanduser()
    crop = read_face(picture, loaded.tracker, crop_size(preset)).crop
    features: Iterable[NDArray[np.float32]]
    if isinstance(speech, (Path, str)):
        features, _ = read_speech(Path(speech).expanduser(), loaded.featurise)
    elif isinstance(speech, np.ndarray):
        samples = np.concatenate([np.zeros(0, np.int16), *speech_samples([speech], rate)])
        features, _ = read_speech(samples, loaded.featurise)
    else:
        features = live_features(speech_samples(speech, rate), loaded)
    for frames in generate_frames(
        loaded.denoiser, preset, [crop], [features], loaded.config, [seed]
    ):
        yield from (frame for frame in frames if frame is not None)
