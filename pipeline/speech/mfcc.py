"""MFCC as speech features: windows of 0.2 s, each centred on a video frame.

The window is that of the authors' speech encoder: 3200 samples every 640, with silence of 1280
samples on both sides of the recording, so that window k is centred on frame k.
"""

import numpy as np
from numpy.typing import NDArray
from python_speech_features import mfcc
from python_speech_features.sigproc import preemphasis

from pipeline.media import SAMPLE_RATE, fit_audio

COEFFICIENTS = 13
STEPS = 18  # MFCC vectors of 25 ms every 10 ms that fit into 0.2 s
MFCC_DIM = STEPS * COEFFICIENTS
_STEPS_PER_FRAME = 4
_MARGIN = 1280  # samples of silence on both sides
_LENGTH, _STEP = 400, 160  # samples of a vector, and from one vector to the next
_EMPHASIS = 0.97
_BLOCK = 4096  # vectors computed at once


def mfcc_windows(samples: NDArray[np.int16], frames: int) -> NDArray[np.float32]:
    """MFCC windows of a recording, (T, 18 x 13) float32; 18 time steps of 13 coefficients.

    python_speech_features' defaults: 13 cepstra, 26 filters, 512-point FFT, pre-emphasis 0.97,
    lifter 22, log energy in place of coefficient 0. (N,) int16 samples, mono 16 kHz, are cut or
    padded with silence to `frames` x 640.
    """
    sound, parts = np.pad(fit_audio(samples, frames), _MARGIN), []
    for begin in range(0, len(sound) - _LENGTH + 1, _BLOCK * _STEP):  # an hour takes gigabytes
        before = min(begin, 1)  # the sample that the block's first is emphasised against
        block = sound[begin - before : begin + (_BLOCK - 1) * _STEP + _LENGTH].astype(np.float64)
        parts.append(mfcc(preemphasis(block, _EMPHASIS)[before:], SAMPLE_RATE, preemph=0))
    cepstra = np.concatenate(parts)  # (N, 13)
    # The log energy of digital silence is log(2e-16) = -36, an outlier no recording reaches;
    # 0 lies below the noise of the last bit.
    cepstra[:, 0] = np.maximum(cepstra[:, 0], 0)
    first = np.arange(frames)[:, None] * _STEPS_PER_FRAME
    return cepstra.astype(np.float32)[first + np.arange(STEPS)].reshape(frames, MFCC_DIM)
