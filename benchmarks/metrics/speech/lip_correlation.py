"""Lip lag and correlation: lips against loudness, which needs no network and no fit.

A mouth opens when it is loud: the opening of the inner lips and the log energy of the sound, less
their moving means, are correlated over shifts. The highest of 31 correlations is positive whatever
the sound, so that a set's is held against sets whose sounds are swapped among the clips.
"""

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.metric import Metric
from pipeline.faces.mouth_box import mouth_opening
from pipeline.speech.lip_sync import MAX_LAG, log_energy
from pipeline.speech.shifts import PERMUTATIONS, WINDOW

_RULE = (
    "Pearson correlation of inner-lip opening (landmarks 62, 66) with log frame energy, both less "
    f"their moving mean over {WINDOW} frames, shifts of -{MAX_LAG}..{MAX_LAG} frames, mean over "
    "clips, a fake without sound against the real clip's"
)
LIP_LAG = Metric(
    "lip_lag",
    "Lip lag",
    "closer",
    f"{_RULE}; the shift of its peak, positive where the sound is late, if the peak is beyond that "
    f"of 99 % of {PERMUTATIONS} sets with swapped sounds",
    unit="frames",
    needs="five clips of 20 frames, a face in half of the frames and sound, lips that move",
)
LIP_CORRELATION = Metric(
    "lip_correlation",
    "Lip correlation",
    "higher",
    f"{_RULE}; the height of its peak; lips that do not move count as 0",
    needs="20 frames, a face in half of the frames and sound",
)


def lip_curves(
    landmarks: NDArray[np.floating], samples: NDArray[np.int16]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Opening of the lips and log energy of the sound, a number a frame.

    Args:
        landmarks: (T, 68, 2), no NaN.
        samples: (N,) int16, mono 16 kHz.

    Raises:
        ValueError: fewer than 20 frames, of which too few would overlap.
    """
    if len(landmarks) < MAX_LAG + 5:
        raise ValueError(f"lips are correlated over at least {MAX_LAG + 5} frames")
    energy = log_energy(samples, len(landmarks))
    return mouth_opening(landmarks), np.asarray(energy, np.float64)
