"""The movements of a talker: mouth, lids and head as curves over the frames."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pipeline.media import FPS, SAMPLE_RATE, SAMPLES_PER_FRAME, fit_audio
from pipeline.talkers.voices import Utterance
from pipeline.talkers.warps import smoothstep

WIDEST = 0.28  # opening of the widest vowel: inner-lip gap over distance of the outer eye corners

# Opening as a share of WIDEST, and width from -1 (rounded) to 1 (spread), for each ARPAbet symbol.
VISEMES = {
    "AA": (1.0, 0.0), "AE": (0.95, 0.35), "AH": (0.65, 0.0), "AO": (0.85, -0.4),
    "AW": (0.9, -0.2), "AY": (0.9, 0.2), "EH": (0.7, 0.25), "ER": (0.4, -0.3),
    "EY": (0.6, 0.5), "IH": (0.45, 0.3), "IY": (0.35, 0.7), "OW": (0.6, -0.75),
    "OY": (0.65, -0.6), "UH": (0.4, -0.6), "UW": (0.3, -1.0),
    "B": (0.0, 0.0), "M": (0.0, 0.0), "P": (0.0, 0.0), "F": (0.06, 0.1), "V": (0.06, 0.1),
    "W": (0.16, -1.0), "R": (0.3, -0.5), "L": (0.4, 0.1), "Y": (0.3, 0.5), "HH": (0.4, 0.0),
    "S": (0.14, 0.3), "Z": (0.14, 0.3), "T": (0.22, 0.1), "D": (0.22, 0.1), "N": (0.25, 0.1),
    "DH": (0.25, 0.1), "TH": (0.25, 0.1), "K": (0.35, 0.0), "G": (0.35, 0.0),
    "NG": (0.35, 0.1), "SH": (0.2, -0.6), "ZH": (0.2, -0.6), "CH": (0.2, -0.6),
    "JH": (0.2, -0.6), "SIL": (0.0, 0.0),
}  # fmt: skip
CLOSED = frozenset({"B", "M", "P", "SIL"})

_RATE = 500  # curves are drawn at this many points a second, then read off at the frames
_BLEND = 0.032  # seconds, standard deviation over which neighbouring sounds are blended
_CLOSING, _SHUT, _REOPENING = 0.08, 0.06, 0.14  # seconds of a blink
_HEAD_REACH = (0.05, 0.035, 2.2, 0.012)  # x and y in eye spans, roll in degrees, scale


@dataclass(frozen=True)
class Performance:
    """The curves of one clip, one value a frame."""

    opening: NDArray[np.float64]  # (T,) inner-lip gap over the distance of the outer eye corners
    width: NDArray[np.float64]  # (T,) from -1 (rounded) to 1 (spread)
    lids: NDArray[np.float64]  # (T,) 0 open to 1 shut
    blinks: list[tuple[int, int]]  # first and last frame of each
    head: NDArray[np.float64]  # (T, 4) shift right and down in eye spans, roll in degrees, growth

    def __len__(self) -> int:
        return len(self.opening)


def perform(utterance: Utterance, rng: np.random.Generator) -> Performance:
    """The movements for an utterance; frame k shows the middle of its 640 samples."""
    frames = -(-len(utterance.samples) // SAMPLES_PER_FRAME)
    times = (np.arange(frames) + 0.5) / FPS
    opening, width = _mouth(utterance, frames / FPS)
    axis = (np.arange(len(opening)) + 0.5) / _RATE
    opening, width = (np.interp(times, axis, values) for values in (opening, width))
    return Performance(opening, width, *_lids(times, rng), _head(times, rng))


def _mouth(utterance: Utterance, seconds: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Opening and width of the mouth at `_RATE` points a second, two (N,) curves."""
    axis = (np.arange(round(seconds * _RATE)) + 0.5) / _RATE
    opening, width, shut = np.zeros((3, len(axis)))
    # The target of every phone, and how far the lips are shut for it.
    for phone in utterance.phones:
        inside = (axis >= phone.start) & (axis < phone.end)
        opening[inside], width[inside] = VISEMES[phone.symbol]
        if phone.symbol in CLOSED:  # for a frame at least; they part 20 ms before the sound ends
            half = max((phone.end - phone.start) / 2 - 0.02, 0.5 / FPS)
            beyond = np.abs(axis - (phone.start + phone.end) / 2) - half
            shut = np.maximum(shut, smoothstep(np.clip(1 - beyond / 0.06, 0, 1)))
    # Neighbouring targets blend; loud speech opens wider; closed lips stay closed.
    opening = gaussian_filter1d(opening, _BLEND * _RATE, mode="nearest")
    width = gaussian_filter1d(width, 1.4 * _BLEND * _RATE, mode="nearest")
    # Gain of the opening: 0.7 to 1.05 with the level of the speech over 120 ms.
    power = fit_audio(utterance.samples, -(-len(axis) * FPS // _RATE)).astype(np.float64) ** 2
    power = power[: len(axis) * SAMPLE_RATE // _RATE].reshape(len(axis), -1).mean(1)
    level = np.sqrt(gaussian_filter1d(power, 0.05 * _RATE))
    gain = 0.7 + 0.35 * np.clip(level / np.percentile(level, 90), 0, 1)
    return opening * (gain * (1 - shut) * WIDEST), width


def _lids(
    times: NDArray[np.float64], rng: np.random.Generator
) -> tuple[NDArray[np.float64], list[tuple[int, int]]]:
    """The lids' curve and its blinks, about 0.3 a second, never at the very ends of a clip."""
    lids = np.zeros_like(times)
    blinks = []
    begin = rng.uniform(0.5, 2.2)
    while begin < times[-1] - 0.6:
        since = times - begin
        closing = np.clip(since / _CLOSING, 0, 1)
        reopening = np.clip((since - _CLOSING - _SHUT) / _REOPENING, 0, 1)
        one = closing * (1 - smoothstep(reopening))
        moved = np.flatnonzero(one > 0.02)
        blinks.append((int(moved[0]), int(moved[-1])))
        lids = np.maximum(lids, np.where(one > 0.02, one, 0))
        begin += rng.uniform(2.0, 4.6)
    return lids, blinks


def _head(times: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """(T, 4) shift in x and y, roll and growth: slow sums of sines."""
    columns = []
    for reach in _HEAD_REACH:
        rates = rng.uniform(0.08, 0.55, 3)
        phases = rng.uniform(0, 2 * np.pi, 3)
        parts = np.sin(2 * np.pi * rates * times[:, None] + phases) / np.array([1.5, 2.5, 3.5])
        columns.append(reach * parts.sum(1))
    return np.stack(columns, axis=1)
