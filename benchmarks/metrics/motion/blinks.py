"""Blinks: how often the eyes close, and for how long, by the authors' rule on 68 landmarks.

The eye aspect ratio (Soukupová & Čech, 2016) of each eye is the mean height over the width. A blink
is where it drops: a peak of EAR[i] − EAR[i + 1]. It lasts from the last local maximum in the upper
half of the clip's range before the drop to the first one after it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.metric import Metric

_RULE = (
    "peaks of EAR[i]-EAR[i+1] of at least 0.072, 4 frames apart, on 68 landmarks of MediaPipe's "
    "mesh at 25 fps (the authors' tool: dlib's); a frame without a face repeats the one before"
)
BLINKS_PER_SECOND = Metric(
    "blinks_per_second",
    "Blinks/s",
    "closer",
    f"{_RULE}; blinks of all clips over their seconds",
    unit="1/s",
    needs="four frames, a face in half of the frames",
)
BLINK_DURATION = Metric(
    "blink_duration",
    "Blink dur. (s)",
    "closer",
    f"{_RULE}; median over the blinks of all clips",
    unit="s",
    needs="four frames, a face in half of the frames, and a blink",
)

_DROP, _APART = 0.072, 4
_EYES = np.array([[36, 37, 38, 39, 40, 41], [42, 43, 44, 45, 46, 47]])


def eye_aspect_ratio(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Mean over both eyes of (|p1 − p5| + |p2 − p4|) / (2 |p0 − p3|).

    `landmarks`: (T, 68, 2), any unit. Returns (T,): about 0.3 for open eyes, below 0.1 for closed
    ones.
    """
    p = np.asarray(landmarks, np.float64)[:, _EYES]  # (T, 2 eyes, 6, 2)

    def apart(i: int, j: int) -> NDArray[np.float64]:
        return np.asarray(np.linalg.norm(p[:, :, i] - p[:, :, j], axis=-1), np.float64)

    ratios = (apart(1, 5) + apart(2, 4)) / (2 * apart(0, 3))
    return np.asarray(ratios.mean(1), np.float64)


def held(landmarks: NDArray[np.floating]) -> NDArray[np.float64] | None:
    """Landmarks with those of the frame before in place of NaN; None where there is no face at all.

    `landmarks`: (T, 68, 2), NaN in frames without a face; the first take the first found.
    """
    found = ~np.isnan(landmarks).any((1, 2))
    if not found.any():
        return None
    index = np.maximum.accumulate(np.where(found, np.arange(len(found)), -1))
    index[index < 0] = np.flatnonzero(found)[0]
    return np.asarray(landmarks, np.float64)[index]


def blinks(ear: NDArray[np.floating]) -> list[tuple[int, int]]:
    """From and until which frame each blink in a clip's eye aspect ratio lasts.

    Args:
        ear: (T,), of `eye_aspect_ratio`.
    """
    from scipy.signal import find_peaks

    ear = np.asarray(ear, np.float64)
    if len(ear) < 4:
        return []
    drops, _ = find_peaks(ear[:-1] - ear[1:], height=_DROP, distance=_APART)
    level = (ear.min() + ear.max()) / 2
    tops = [t for t in find_peaks(ear)[0].tolist() if ear[t] >= level]
    found = []
    for number, drop in enumerate(drops.tolist()):
        last = number == len(drops) - 1
        following = len(ear) if last else int(drops[number + 1])
        before = [top for top in tops if top < drop]
        after = [top for top in tops if drop < top < following]
        earlier = before[-1] if before else 0
        start = drop if ear[drop - 1] <= ear[drop] else earlier
        if after:
            found.append((start, after[0]))
        elif last:
            found.append((start, len(ear) - 1))
    return found


def rate_and_duration(
    durations: Sequence[Sequence[float]], seconds: Sequence[float]
) -> tuple[float, float]:
    """Blinks a second over a set, and their median duration in seconds; NaN where undefined.

    `durations`: of the blinks of each clip; `seconds`: its length.
    """
    every = [duration for clip in durations for duration in clip]
    length = sum(seconds)
    rate = len(every) / length if length else float("nan")
    return rate, float(np.median(every)) if every else float("nan")
