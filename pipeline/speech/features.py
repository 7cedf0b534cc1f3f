"""Speech features, one vector a video frame: windows of MFCC centred on the frame.

The window is that of the authors' speech encoder: 3200 samples (0.2 s) every 640, silence of 1280
samples on both sides of the recording, so that window k is centred on frame k. What that encoder
makes of the same windows are the features `released`, see `pipeline.speech.released_encoder`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from python_speech_features import mfcc
from python_speech_features.sigproc import preemphasis

from pipeline.media import SAMPLE_RATE, SAMPLES_PER_FRAME, fit_audio

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray


Speech = Literal["mfcc", "released"]
# (N,) int16 mono 16 kHz sound and T, the number of video frames, to (T, F) float32 features.
Featurise: TypeAlias = "Callable[[NDArray[np.int16], int], NDArray[np.float32]]"

COEFFICIENTS = 13
STEPS = 18  # MFCC vectors of 25 ms every 10 ms that fit into 0.2 s
MFCC_DIM = STEPS * COEFFICIENTS
_STEPS_PER_FRAME = 4
_MARGIN = 1280
_LENGTH, _STEP = 400, 160  # samples of a vector and between two
_EMPHASIS = 0.97
_BLOCK = 4096  # vectors computed at once


@dataclass(frozen=True)
class SpeechShape:
    """The shape of a frame's features.

    Attributes:
        steps: vectors in time.
        coefficients: of each vector; mean and deviation are taken of each.
    """

    steps: int
    coefficients: int

    @property
    def dim(self) -> int:
        """F, numbers a frame."""
        return self.steps * self.coefficients


SHAPES: dict[Speech, SpeechShape] = {
    "mfcc": SpeechShape(STEPS, COEFFICIENTS),
    "released": SpeechShape(1, 256),
}


def speech_features(name: Speech, encoder: Path | None = None) -> Featurise:
    """What computes the features of a name.

    Args:
        name: a key of `SHAPES`.
        encoder: the authors' speech encoder, which `released` needs.

    Raises:
        UserError: the encoder's file cannot be used.
    """
    if name == "mfcc":
        return mfcc_windows
    from pipeline.speech.released_encoder import ReleasedSpeech

    assert encoder is not None
    return ReleasedSpeech(encoder)


def mfcc_windows(samples: NDArray[np.int16], frames: int) -> NDArray[np.float32]:
    """MFCC windows of a recording.

    python_speech_features' defaults: 13 cepstra, 26 filters, 512-point FFT, pre-emphasis 0.97,
    lifter 22, log energy in place of coefficient 0.

    Args:
        samples: (N,) int16, mono 16 kHz; cut or padded with silence to `frames` x 640.
        frames: number of video frames T.

    Returns:
        (T, 18 x 13) float32; reshape to (T, 18, 13) for time steps and coefficients.
    """
    cepstra = _cepstra(np.pad(fit_audio(samples, frames), _MARGIN))
    # The log energy of digital silence is log(2e-16) = -36, an outlier no recording reaches;
    # 0 lies below the noise of the last bit.
    cepstra[:, 0] = np.maximum(cepstra[:, 0], 0)
    first = np.arange(frames)[:, None] * _STEPS_PER_FRAME
    return cepstra.astype(np.float32)[first + np.arange(STEPS)].reshape(frames, MFCC_DIM)


def _cepstra(sound: NDArray[np.int16]) -> NDArray[np.float64]:
    """(N, 13) MFCC of a recording, in blocks: all at once they take gigabytes an hour."""
    parts = []
    for begin in range(0, len(sound) - _LENGTH + 1, _BLOCK * _STEP):
        before = min(begin, 1)  # the sample that the block's first is emphasised against
        block = sound[begin - before : begin + (_BLOCK - 1) * _STEP + _LENGTH].astype(np.float64)
        parts.append(mfcc(preemphasis(block, _EMPHASIS)[before:], SAMPLE_RATE, preemph=0))
    return np.concatenate(parts)


def log_energy(samples: NDArray[np.int16], frames: int) -> NDArray[np.float32]:
    """Loudness of every video frame: (T,) root mean square of its 640 samples in dB full scale."""
    windows = fit_audio(samples, frames).reshape(frames, SAMPLES_PER_FRAME).astype(np.float64)
    power = (windows / 32768) ** 2
    return (10 * np.log10(power.mean(1) + 1e-10)).astype(np.float32)
