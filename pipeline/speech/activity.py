"""Speech activity: where a recording stands out of its own noise floor and is voiced like speech.

A stretch counts as speech when its energy is above the floor of the recording in several bands at
once, and when part of it repeats at the pitch of a voice that moves as voices do. Hum, tones and
noise do not rise above their own floor, clicks and bursts of noise repeat at no pitch, and played
notes hold theirs. Gliding tones and singing count as speech, and so does music beneath speech: the
pauses are then not found.

Against word alignments, beside other detectors: `benchmarks/studies/voice.py`;
benchmarks/speed/RESULTS.md, Speech activity.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft
from scipy.ndimage import binary_closing, binary_dilation, binary_opening, label, uniform_filter1d

from pipeline.media import SAMPLE_RATE, SAMPLES_PER_FRAME, fit_audio

_STEP = SAMPLE_RATE // 100  # 10 ms
_WINDOW = 512  # 32 ms, two periods of a deep voice
_BANDS = (200, 400, 700, 1100, 1700, 2600, 4000, 6000, 8000)  # Hz
_PITCH = slice(SAMPLE_RATE // 400, SAMPLE_RATE // 70)  # periods of 70 to 400 Hz, in samples
_QUIETEST = -80.0  # dB full scale; a recording that is never louder holds no speech
_DEPTH = 40.0  # dB below its loudest at which a recording's floor is taken to lie at least
_FLOOR, _LOUD = 10, 95  # percentiles of the time that stand for the floor and for the loudest
_MOST = 25.0  # dB over the floor beyond which a band counts no further
_FULLEST = 3  # bands that count, those that stand out most
_STEADY = 6.0  # dB over the floor that steady sounds do not reach
_LEAST, _SHARE = 3.0, 0.2  # dB over the floor, and share of the loudest, that speech has
_GAP, _SHORTEST, _EDGE = 20, 6, 5  # steps: pauses closed, clicks dropped, faint ends added
_REPEATS = 0.5  # autocorrelation at the pitch of what is voiced
_VOICED = 0.15  # share of a stretch that must be voiced
_BLOCK = 3000  # steps whose spectra are in memory at once
_HELD, _AFTER, _SAME = 0.4, 10, 0.015  # share of it whose pitch, 10 steps later, is the same


def speech_activity(samples: NDArray[np.int16], frames: int) -> NDArray[np.bool_]:
    """Whether there is speech in each video frame, (T,).

    (N,) int16 samples, mono 16 kHz, are cut or padded with silence to `frames` x 640.
    """
    if not frames:
        return np.zeros(0, np.bool_)
    steps = _active(fit_audio(samples, frames).astype(np.float64) / 32768)
    return cast("NDArray[np.bool_]", steps.reshape(frames, -1).mean(1) >= 0.5)


def speech_share(samples: NDArray[np.int16]) -> float:
    """The share of the time with speech in mono 16 kHz sound, 0..1; 0 for an empty recording."""
    frames = -(-len(samples) // SAMPLES_PER_FRAME)
    return float(speech_activity(samples, frames).mean()) if frames else 0.0


def _active(sound: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Speech in each 10 ms."""
    edges = np.array(_BANDS) * 2 * _WINDOW // SAMPLE_RATE
    parts = [
        (np.stack([power[:, a:b].sum(1) for a, b in pairwise(edges)], 1), *_pitch(power))
        for power in _spectra(sound)
    ]  # (N, 8) power in each band, (N,) likeness and period of the pitch
    bands, likeness, period = (np.concatenate(part) for part in zip(*parts, strict=True))
    voiced = likeness > _REPEATS
    later = np.append(period, np.full(_AFTER, -1))[_AFTER:]
    same = np.abs(later - period) < _SAME * period
    held = voiced & same & np.append(voiced, np.zeros(_AFTER, np.bool_))[_AFTER:]
    return _with_voice(_standing_out(bands), voiced, held)


def _spectra(sound: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Power spectra, (N, 513), of each 10 ms, in blocks: those of an hour take gigabytes."""
    padded = np.pad(sound, ((_WINDOW - _STEP) // 2, _WINDOW))
    windows = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[::_STEP]
    windows = windows[: len(sound) // _STEP]
    window = np.hanning(_WINDOW)
    for begin in range(0, len(windows), _BLOCK):
        power = np.abs(rfft(windows[begin : begin + _BLOCK] * window, 2 * _WINDOW, axis=1)) ** 2
        yield power / (_WINDOW * (window**2).sum())  # its sum over frequencies: the mean square


def _pitch(power: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """How well a window repeats at the pitch of a voice, 0..1, and that pitch's period, samples."""
    correlation = irfft(power, axis=1)[:, :_WINDOW]
    window = irfft(np.abs(rfft(np.hanning(_WINDOW), 2 * _WINDOW)) ** 2)[:_WINDOW]
    # Of a window that is only part of the sound, less is left to correlate at longer periods.
    scale = np.maximum(correlation[:, :1], 1e-15) * (window[_PITCH] / window[0])
    likeness = correlation[:, _PITCH] / scale
    return likeness.max(1), likeness.argmax(1) + _PITCH.start


def _standing_out(bands: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where several bands at once are above their floor."""
    total = bands.sum(1)
    loudest = np.percentile(total, _LOUD)
    if loudest < 10 ** (_QUIETEST / 10):
        return np.zeros(len(bands), np.bool_)
    level = 10 * np.log10(bands + loudest * 10 ** (-_DEPTH / 10))
    level = uniform_filter1d(level, 3, axis=0, mode="nearest")
    floor = np.percentile(level[total > 0], _FLOOR, axis=0)  # not that of digital silence
    above = np.sort(np.clip(level - floor, 0, _MOST), axis=1)[:, -_FULLEST:].mean(1)
    most = np.percentile(above, _LOUD)
    if most < _STEADY:
        return np.zeros(len(bands), np.bool_)
    loud = np.pad(above > max(_LEAST, _SHARE * most), _GAP)
    loud = binary_opening(binary_closing(loud, np.ones(_GAP)), np.ones(_SHORTEST))
    return cast("NDArray[np.bool_]", binary_dilation(loud, np.ones(2 * _EDGE + 1))[_GAP:-_GAP])


def _with_voice(
    loud: NDArray[np.bool_], voiced: NDArray[np.bool_], held: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """The stretches that are loud, in part voiced, and whose pitch is not held as on a keyboard."""
    stretch, count = label(loud)
    length, voices, holds = (
        np.bincount(stretch, weights=what, minlength=count + 1)
        for what in (np.ones(len(loud)), voiced, held)
    )
    keep = (voices >= _VOICED * length) & (holds <= _HELD * voices)
    keep[0] = False  # between the stretches
    return cast("NDArray[np.bool_]", keep[stretch])
