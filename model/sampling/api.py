"""Sampling from Python: frames one by one, as they are drawn, for whatever shows them.

from model.sampling.api import generate

for frame in generate("face.png", "speech.wav", "runs/mine"):
    show(frame)  # (S, S, 3) uint8 RGB, 25 a second
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from model.checkpoints.checkpoint import resolve
from model.sampling.autoregressive import SampleConfig, draw
from model.sampling.batch import Loaded, SampleRun, load
from model.sampling.inputs import find_face, read_face, read_speech
from model.sampling.output import Look
from pipeline.errors import UserError
from pipeline.media import SAMPLES_PER_FRAME

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from model.config.presets import Preset
    from pipeline.faces.tracking import Tracker
    from pipeline.speech.features import Featurise


def generate(
    face: Path | str | NDArray[np.uint8],
    speech: Path | str | NDArray[np.int16],
    checkpoint: Path | str | Loaded,
    config: SampleConfig | None = None,
    *,
    seed: int = 0,
) -> Iterator[NDArray[np.uint8]]:
    """Draws a talking head, frame by frame.

    Args:
        face: a picture or a video, or (H, W, 3) uint8 RGB; the face in it is found and aligned.
            Arrays of another kind are refused.
        speech: a recording, or (N,) int16 mono samples at 16 kHz.
        checkpoint: a .safetensors file, a run's folder, or a file of the authors; or what
            `load_model` gave, which saves loading it again for the next video.
        config: how to draw; for a loaded checkpoint it is the one it was loaded with.
        seed: of the noise.

    Yields:
        (S, S, 3) uint8 RGB, 25 frames a second of speech.

    Raises:
        UserError: one of them cannot be used.
    """
    loaded = checkpoint if isinstance(checkpoint, Loaded) else load_model(checkpoint, config)
    preset, settings = loaded.info.preset, loaded.run.config
    crop = _crop(face, loaded.tracker, preset)
    features = _features(speech, loaded.featurise)
    for (frame,) in draw(loaded.denoiser, preset, [crop], [features], settings, [seed]):
        assert frame is not None  # one clip alone ends the walk when it ends
        yield frame


def load_model(checkpoint: Path | str, config: SampleConfig | None = None) -> Loaded:
    """A checkpoint in memory, on the best device there is, ready for any number of videos.

    Raises:
        UserError: it cannot be used.
    """
    return load(SampleRun(resolve(Path(checkpoint).expanduser()), config or SampleConfig(), Look()))


def _crop(
    face: Path | str | NDArray[np.uint8], tracker: Tracker, preset: Preset
) -> NDArray[np.uint8]:
    size = max(128, preset.unet.image_size)
    if not isinstance(face, np.ndarray):
        return read_face(Path(face).expanduser(), tracker, size).crop
    if face.ndim != 3 or face.shape[2] != 3 or face.dtype != np.uint8:
        raise UserError(f"a face is (H, W, 3) uint8 RGB, not {face.shape} {face.dtype}")
    try:
        return find_face([face], tracker, size).crop
    except LookupError as error:
        raise UserError("no face found in the picture; it must show one from the front") from error


def _features(speech: Path | str | NDArray[np.int16], featurise: Featurise) -> NDArray[np.float32]:
    if not isinstance(speech, np.ndarray):
        return read_speech(Path(speech).expanduser(), featurise)[0]
    if speech.ndim != 1 or speech.dtype != np.int16:
        raise UserError(f"speech is (N,) int16 at 16 kHz, not {speech.shape} {speech.dtype}")
    frames = -(-len(speech) // SAMPLES_PER_FRAME)
    if not frames:
        raise UserError("the speech is empty")
    return featurise(speech, frames)
