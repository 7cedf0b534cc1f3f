"""Which of several faces speaks: how well the sound predicts the movement of each one's lips.

The opening of the lips is predicted from the sound by a linear regression on MFCC, fitted on GRID
and CREMA-D (`benchmarks/studies/speaker.py fit`). A face scores the correlation of its lips with
that prediction, less where they hardly move. Loudness by itself separates two talking faces little
better than chance on clips of two seconds (`benchmarks/studies/speaker.py measure`).
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from pipeline.speech.lip_sync import correlations
from pipeline.speech.mfcc import COEFFICIENTS, mfcc_windows

DECISIVE = 0.1  # lead of the best score over the next from which a choice is sure
_LONG = 50  # frames from which a lead counts in full; correlations of fewer are mostly chance
_FULL = 0.02  # lip movement from which the correlation counts in full
_MOVES = 0.25  # what lips that move count beside their correlation, when faces are compared
_MAX_LAG = 3  # frames between lips and sound
_GROUP = 3  # MFCC steps of 10 ms that are averaged
# Of `lip_predictors`: a row for each 30 ms of the window, a column for each cepstrum.
_WEIGHTS = np.array([
    [-49, -30, 25, 9, -9, 14, 25, 9, -23, 61, 2, -12, 13],
    [46, 3, -32, 41, -50, -39, -4, 20, 11, 33, -26, -40, 5],
    [108, -9, -44, 56, -58, -51, -11, 45, 28, 23, -43, -52, -4],
    [95, -19, -52, 42, -53, -40, -20, 61, 36, 22, -33, -50, -10],
    [35, -21, -42, 38, -32, -25, -14, 54, 46, 7, -32, -47, -9],
    [-82, -48, -21, -21, 11, 55, 17, 68, 64, -4, -32, -39, 0],
])  # fmt: skip


def lip_movement(opening: NDArray[np.floating]) -> NDArray[np.float64]:
    """The part of an opening of the lips (T,) that changes as fast as speech, about 0.5 to 4 Hz.

    Its deviation is 0.02 to 0.06 eye distances for most people who talk.
    """
    fast, slow = (gaussian_filter1d(opening, sigma, mode="nearest") for sigma in (1.0, 8.0))
    return np.asarray(fast - slow, np.float64)


def lip_predictors(samples: NDArray[np.int16], frames: int) -> NDArray[np.float64]:
    """What the regression reads of a recording: (T, 78), standardised over its T frames."""
    cepstra = mfcc_windows(samples, frames).reshape(frames, -1, _GROUP, COEFFICIENTS)
    groups = cepstra.mean(2, dtype=np.float64).reshape(frames, -1)
    return cast("NDArray[np.float64]", (groups - groups.mean(0)) / (groups.std(0) + 1e-6))


def predicted_movement(samples: NDArray[np.int16], frames: int) -> NDArray[np.float64]:
    """How the lips of whoever speaks in a recording move: (T,), any unit."""
    return lip_predictors(samples, frames) @ _WEIGHTS.ravel()


def speaking_score(opening: NDArray[np.floating], predicted: NDArray[np.float64]) -> float:
    """How surely a face says what the sound is, -1 to 1; 0 for lips that do not move.

    (T,) opening of its lips in eye distances, NaN where it is not in view, and (T,) from
    `predicted_movement`.
    """
    moves = _movement_in_view(opening)
    best = np.nanmax([-1.0, *correlations(moves, predicted, _MAX_LAG)])
    return float(best * _liveliness(moves))


def _movement_in_view(opening: NDArray[np.floating]) -> NDArray[np.float64]:
    """`lip_movement` of lips that are not always in view: NaN where they are not."""
    known = ~np.isnan(opening)
    if not known.any():
        return np.full(len(opening), np.nan)
    frames = np.arange(len(opening))
    moves = lip_movement(np.interp(frames, frames[known], opening[known]))
    moves[~known] = np.nan
    return moves


def _liveliness(moves: NDArray[np.float64]) -> float:
    """0 for lips that do not move … 1 for those that move as a speaker's do."""
    return 0.0 if np.isnan(moves).all() else min(1.0, float(np.nanstd(moves)) / _FULL)


def find_speaker(
    openings: Sequence[NDArray[np.floating]], predicted: NDArray[np.float64]
) -> tuple[int, float]:
    """The number of the face that speaks, and by how much it leads the next one's score.

    The lead is less for under two seconds; one below `DECISIVE` is not sure. Openings as in
    `speaking_score`, of two faces or more.
    """
    # Lips that do not move, a photograph's, say nothing, however little others follow the sound.
    scores = [
        speaking_score(opening, predicted)
        + _MOVES * min(1.0, 4 * _liveliness(_movement_in_view(opening)))
        for opening in openings
    ]
    order = np.argsort(scores)
    lead = scores[order[-1]] - max(scores[order[-2]], 0.0)
    return int(order[-1]), float(lead * min(1.0, len(predicted) / _LONG))
