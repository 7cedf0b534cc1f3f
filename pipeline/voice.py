"""How much of a recording is speech: loud against its own floor, and voiced here and there.

A stretch counts as speech when its energy between 200 and 4000 Hz stands out of the recording's
floor and part of it is voiced, that is, repeats at the pitch of a voice. Steady sounds (hum, tones,
noise) do not stand out of their own floor. Music that swells as speech does is taken for speech.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import numpy as np
from scipy.fft import irfft, rfft
from scipy.ndimage import binary_closing, binary_opening, label, median_filter

from pipeline.media import SAMPLE_RATE, SAMPLES_PER_FRAME, fit_audio

if TYPE_CHECKING:
    from numpy.typing import NDArray

_STEP = SAMPLE_RATE // 100  # 10 ms
_WINDOW = 512  # 32 ms, two periods of a deep voice
_BAND = slice(6, 128)  # of 31.25 Hz each: 190 to 4000 Hz
_PITCH = slice(SAMPLE_RATE // 400, SAMPLE_RATE // 70)  # periods of 70 to 400 Hz, in samples
_FLOOR, _PEAK = 8, 95  # percentiles of the energy that stand for silence and for speech
_QUIETEST = -70.0  # dB full scale below which nothing is speech
_STEADY = 8.0  # dB between floor and peak; steady sounds stay below
_SHARE = 0.3  # of the way from floor to peak that energy must rise
_REPEATS = 0.5  # autocorrelation at the pitch of what is voiced
_VOICED = 0.15  # share of a stretch that must be voiced
_GAP, _SHORTEST = 30, 6  # steps of 10 ms: pauses within words are closed, clicks dropped


def speech_activity(samples: NDArray[np.int16], frames: int) -> NDArray[np.bool_]:
    """Whether there is speech in each video frame.

    Args:
        samples: (N,) int16, mono 16 kHz; cut or padded with silence to `frames` x 640.
        frames: number of video frames T.

    Returns:
        (T,).
    """
    if not frames:
        return np.zeros(0, np.bool_)
    steps = _active(fit_audio(samples, frames).astype(np.float64) / 32768)
    each = SAMPLES_PER_FRAME // _STEP
    return cast("NDArray[np.bool_]", steps.reshape(frames, each).mean(1) >= 0.5)


def speech_share(samples: NDArray[np.int16]) -> float:
    """The share of the time with speech, 0..1; 0 for an empty recording.

    Args:
        samples: (N,) int16, mono 16 kHz.
    """
    frames = -(-len(samples) // SAMPLES_PER_FRAME)
    return float(speech_activity(samples, frames).mean()) if frames else 0.0


def _active(sound: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Speech in each 10 ms."""
    half = (_WINDOW - _STEP) // 2
    padded = np.pad(sound, (half, _WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_STEP]
    windows = windows[: len(sound) // _STEP] * np.hanning(_WINDOW)
    power = np.abs(rfft(windows, 2 * _WINDOW, axis=1)) ** 2
    energy = 10 * np.log10(power[:, 2 * _BAND.start : 2 * _BAND.stop].sum(1) / _WINDOW**2 + 1e-12)
    heard = energy[energy > _QUIETEST - 20]
    if not len(heard):
        return np.zeros(len(energy), np.bool_)
    floor, peak = np.percentile(heard, [_FLOOR, _PEAK])
    if peak - floor < _STEADY:
        return np.zeros(len(energy), np.bool_)
    threshold = max(_QUIETEST, floor + max(_STEADY / 2, _SHARE * (peak - floor)))
    loud = median_filter(energy, 5) > threshold
    loud = binary_opening(binary_closing(np.pad(loud, _GAP), np.ones(_GAP)), np.ones(_SHORTEST))
    return _with_voice(loud[_GAP:-_GAP], _voiced(power))


def _voiced(power: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a window repeats at the pitch of a voice: by its normalised autocorrelation."""
    correlation = irfft(power, axis=1)[:, :_WINDOW]
    window = irfft(np.abs(rfft(np.hanning(_WINDOW), 2 * _WINDOW)) ** 2)[:_WINDOW]
    scale = np.maximum(correlation[:, :1], 1e-12) * (window[_PITCH] / window[0])
    return cast("NDArray[np.bool_]", (correlation[:, _PITCH] / scale).max(1) > _REPEATS)


def _with_voice(loud: NDArray[np.bool_], voiced: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """The stretches that are loud and in part voiced."""
    stretch, count = label(loud)
    share = np.bincount(stretch, weights=voiced, minlength=count + 1) / np.maximum(
        np.bincount(stretch, minlength=count + 1), 1
    )
    keep = share >= _VOICED
    keep[0] = False
    return cast("NDArray[np.bool_]", keep[stretch])
