"""Beat alignment: whether the head moves to the beat of the speech (Siyao et al., 2022).

    BA = 1/|A| Σ_{a in A} exp(−min_{m in M} (a − m)² / (2 · 3²))

over the onsets A of the sound and the beats M of the head, in frames: where the head's speed is
least. Papers on talking heads find poses with networks of their own; here the head is the bridge of
the nose and the corners of the eyes, so that numbers of other programs do not compare. Much of it
is chance: real clips of GRID have 0.60 with their own sound and 0.57 with another sentence's.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.metric import Metric
from pipeline.speech.lip_sync import log_energy

_RISE = 6.0  # dB from frame to frame
_APART = 3  # frames, as syllables are
_SMOOTHING = 2.0  # frames, sigma of the speed's Gaussian window
_NEAR = 3.0  # frames
_RIGID = (27, 28, 29, 36, 39, 42, 45)  # landmarks that speech and blinks do not move

BEAT_ALIGNMENT = Metric(
    "beat_alignment",
    "Beat align.",
    "closer",
    f"mean over onsets of the sound (log energy rises by {_RISE:g} dB in a frame, {_APART} frames "
    f"apart) of exp(-d^2/{2 * _NEAR**2:g}), d the frames to the next minimum of the head's speed "
    f"(bridge of the nose, corners of the eyes; Gaussian window of sigma {_SMOOTHING:g} frames); a "
    "head that never moves counts 0; a fake without sound against the real clip's",
    needs="a face in half of the frames, sound with an onset",
)


def beat_alignment(landmarks: NDArray[np.floating], samples: NDArray[np.int16]) -> float:
    """How near the beats of the head are to the onsets of the sound, in [0, 1].

    Args:
        landmarks: (T, 68, 2) at 25 fps, no NaN.
        samples: (N,) int16, mono 16 kHz.

    Raises:
        ValueError: the sound has no onset.
    """
    onsets = sound_onsets(samples, len(landmarks))
    if not len(onsets):
        raise ValueError("the sound has no onset")
    beats = head_beats(landmarks)
    if not len(beats):
        return 0.0
    distance = np.abs(onsets[:, None] - beats).min(axis=1)
    return float(np.exp(-(distance**2) / (2 * _NEAR**2)).mean())


def sound_onsets(samples: NDArray[np.int16], frames: int) -> NDArray[np.intp]:
    """The frames in which the sound rises most."""
    from scipy.signal import find_peaks

    rise = np.diff(log_energy(samples, frames), prepend=np.inf)
    found: NDArray[np.intp] = find_peaks(rise, height=_RISE, distance=_APART)[0]
    return found


def head_beats(landmarks: NDArray[np.floating]) -> NDArray[np.intp]:
    """The frames between which the head's speed has a minimum."""
    from scipy.ndimage import gaussian_filter1d
    from scipy.signal import argrelmin

    head = np.asarray(landmarks[:, list(_RIGID)], np.float64)  # (T, 7, 2)
    speed = np.linalg.norm(np.diff(head, axis=0), axis=2).mean(axis=1)  # (T - 1,)
    found: NDArray[np.intp] = argrelmin(gaussian_filter1d(speed, _SMOOTHING))[0] + 1
    return found
