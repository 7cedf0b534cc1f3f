"""Lips against sound without any network: opening of the lips correlated with loudness over lags.

A mouth opens when it is loud, so that the correlation peaks where picture and sound belong
together. Over a whole set that lag is good to a frame; a clip alone is too noisy to trust.
"""

import numpy as np
from numpy.typing import NDArray

from pipeline.media import SAMPLES_PER_FRAME, fit_audio

MAX_LAG = 15  # frames; SyncNet's range
CLIP_MAX_LAG = 5  # of one clip; farther, its noise would win
_LEAST = 5  # frames that must overlap


def log_energy(samples: NDArray[np.int16], frames: int) -> NDArray[np.float32]:
    """Loudness of every video frame: (T,) root mean square of its 640 samples in dB full scale."""
    windows = fit_audio(samples, frames).reshape(frames, SAMPLES_PER_FRAME).astype(np.float64)
    power = (windows / 32768) ** 2
    return (10 * np.log10(power.mean(1) + 1e-10)).astype(np.float32)


def pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson correlation of two curves (T,), of the frames in which neither is NaN.

    NaN where one of them does not vary, or fewer than five frames are known.
    """
    known = ~(np.isnan(a) | np.isnan(b))
    a, b = a[known], b[known]
    if len(a) < _LEAST:
        return float("nan")
    a, b = a - a.mean(), b - b.mean()
    scale = float(np.sqrt((a @ a) * (b @ b)))
    # Rounding leaves a little variance in what is constant.
    return float(a @ b) / scale if scale > 1e-9 * len(a) else float("nan")


def correlations(
    opening: NDArray[np.floating], energy: NDArray[np.floating], max_lag: int = MAX_LAG
) -> NDArray[np.float64]:
    """Pearson correlation of lip opening and log energy of the sound at lags -max_lag … max_lag.

    At lag d the opening in frame t meets the energy of frame t + d: a positive lag says that the
    sound is late, a negative one that it is ahead of the picture. SyncNet's offset has the other
    sign. (T,) curves to (2 max_lag + 1,); NaN where opening or energy do not vary, or fewer than
    five frames overlap.
    """
    lips, sound = np.asarray(opening, np.float64), np.asarray(energy, np.float64)
    curve = []
    for lag in range(-max_lag, max_lag + 1):
        length = max(0, len(lips) - abs(lag))  # frames that overlap at this lag
        curve.append(pearson(lips[max(0, -lag) :][:length], sound[max(0, lag) :][:length]))
    return np.array(curve)


def lag_and_correlation(
    opening: NDArray[np.floating], energy: NDArray[np.floating], max_lag: int = MAX_LAG
) -> tuple[float, float]:
    """The lag in frames at which a clip's lips and sound correlate best, and that correlation.

    NaN and NaN where they do not vary. See `correlations` for the sign.
    """
    curve = correlations(opening, energy, max_lag)
    if np.isnan(curve).all():
        return float("nan"), float("nan")
    best = int(np.nanargmax(curve))
    return float(best - max_lag), float(curve[best])
