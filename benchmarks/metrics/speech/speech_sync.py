"""Sync without a pretrained network: how well a mouth does what its sound predicts.

A linear counterpart of SyncNet, fitted on the real clips in seconds: regularised canonical
correlation (ridge regression of the mouth on the sound, seen in the directions that are predicted
best; Hotelling, 1936) of windows of MFCC and windows of lip landmarks. A clip's mouth is correlated
with what its sound predicts, over shifts, and with what other clips' sounds predict. Each clip is
judged by a fit that has not seen its real clip.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh, solve

from benchmarks.metrics.metric import Metric
from pipeline.speech import shifts
from pipeline.speech.lip_sync import MAX_LAG
from pipeline.speech.mfcc import COEFFICIENTS, STEPS, mfcc_windows

FEWEST = 20  # real clips to fit on
_FOLDS = 5
_SOUND = tuple(range(-5, 6))  # frames around a frame whose sound is seen
_MOUTH = (-2, 0, 2)  # and whose mouth
_RIDGE_SOUND, _RIDGE_MOUTH = 1.0, 0.3  # of features scaled to variance 1
_DIRECTIONS = 10
_SPLIT = 44  # the first numbers of a frame are of the mouth
_ROUNDS = 3  # clips whose own sound is late or early are shifted by what the last fit found
_MOST_SHIFTED = 4  # frames

_RULE = (
    "canonical correlation (10 directions, ridge 1 and 0.3) of MFCC over -5..5 frames with lip "
    "landmarks at -2, 0 and 2 frames, fitted on real clips in 5 folds so that none is judged by "
    "itself; a fake without sound against the real clip's"
)
SYNC_LAG = Metric(
    "sync_lag",
    "Sync lag",
    "closer",
    f"{_RULE}; the shift of -{MAX_LAG}..{MAX_LAG} frames at which the mean over clips is highest, "
    "positive where the sound is late, if it is beyond that of 99 % of sets with swapped sounds",
    unit="frames",
    needs="20 real clips, a face in half of the frames and sound",
)
SYNC_CONFIDENCE = Metric(
    "sync_confidence",
    "Sync confidence",
    "higher",
    f"{_RULE}; a clip's highest correlation less the mean of those with other clips' sounds, over "
    "their standard deviation; mean over clips, 0 is chance",
    needs="20 real clips, a face in half of the frames and sound",
)


@dataclass(frozen=True)
class SetSync:
    """Sync of the clips of one side."""

    lag: shifts.SetLag  # of the set, and its chance level
    confidence: NDArray[np.float64]  # (N,) standard deviations by which its own sound beats others'
    wins: NDArray[np.float64]  # (N,) share of others' sounds that its own beats


@dataclass(frozen=True)
class SyncFit:
    """Directions in which sound and mouth are correlated."""

    sound: NDArray[np.float64]  # (11 x 26, 10), from windows of sound
    mouth: NDArray[np.float64]  # (3 x 44, 10), from windows of the mouth


def sync_features(
    landmarks: NDArray[np.floating], samples: NDArray[np.int16]
) -> NDArray[np.float32]:
    """(T, 44 + 26) numbers a frame: the mouth, then the sound; each of mean 0.

    The mouth is the gap of the inner lips, the height of the outer ones and both widths, and all
    lip landmarks in the face's own frame less their moving mean over 9 frames. The sound is two
    MFCC vectors a frame.

    Args:
        landmarks: (T, 68, 2), no NaN, any unit.
        samples: (N,) int16, mono 16 kHz.
    """
    points = np.asarray(landmarks, np.float64)
    # Lips relative to the nose base, turned so that the eyes are level.
    across = points[:, 42:48].mean(1) - points[:, 36:42].mean(1)  # (T, 2)
    size = np.median(np.linalg.norm(points[:, 36] - points[:, 45], axis=-1))
    angle = np.arctan2(across[:, 1], across[:, 0])
    turn = np.stack([np.cos(angle), np.sin(angle), -np.sin(angle), np.cos(angle)], -1)
    lips = (points[:, 48:68] - points[:, [33]]) @ turn.reshape(-1, 2, 2).transpose(0, 2, 1) / size
    pairs = np.array([[62, 66], [51, 57], [60, 64], [48, 54]]).T
    shape = np.linalg.norm(points[:, pairs[0]] - points[:, pairs[1]], axis=-1) / size
    steps = mfcc_windows(samples, len(points)).reshape(-1, STEPS, COEFFICIENTS)
    middle = steps[:, STEPS // 2 - 2 : STEPS // 2 + 2]  # those of the frame itself
    sound = middle.reshape(-1, 2, 2, COEFFICIENTS).mean(2)
    parts = [
        shape,
        shifts.without_trend(lips.reshape(len(lips), -1)),
        sound.reshape(len(sound), -1),
    ]
    together = np.concatenate(parts, 1)
    return (together - together.mean(0)).astype(np.float32)


def judge(
    real: Sequence[NDArray[np.floating]], fake: Sequence[NDArray[np.floating]]
) -> tuple[SetSync, SetSync]:
    """Sync of fakes, and of the real clips that they imitate.

    Args:
        real: (T, 70) `sync_features` of each clip.
        fake: the same of each fake, in the same order.

    Raises:
        ValueError: too few real clips to fit on, or the sound predicts nothing of their mouths.
    """
    if len(real) < FEWEST:
        raise ValueError(f"the fit needs at least {FEWEST} real clips with a face and sound")
    folds = np.arange(len(real)) % _FOLDS
    fits = [
        fit([clip for clip, own in zip(real, folds, strict=True) if own != fold])
        for fold in range(_FOLDS)
    ]
    of_real = compare(fits, folds, real)
    if not of_real.lag.stands_out:
        raise ValueError("what sound predicts of the real clips' mouths is not beyond chance")
    return compare(fits, folds, fake), of_real


def fit(clips: Sequence[NDArray[np.floating]]) -> SyncFit:
    """The directions in which the sound of real clips predicts their mouths.

    `clips`: (T, 70) `sync_features`.
    """
    scale = np.concatenate(clips).std(0) + 1e-9
    by_mouth, by_sound = np.tile(scale[:_SPLIT], len(_MOUTH)), np.tile(scale[_SPLIT:], len(_SOUND))
    windows = [_windows_of(clip / scale) for clip in clips]
    found = SyncFit(np.empty(0), np.empty(0))
    lags = [0] * len(clips)
    for _ in range(_ROUNDS):
        covariance, count = np.zeros((len(by_sound) + len(by_mouth),) * 2), 0
        for (mouth, sound), lag in zip(windows, lags, strict=True):
            length = max(0, len(mouth) - abs(lag))
            x = np.concatenate([sound[max(0, lag) :][:length], mouth[max(0, -lag) :][:length]], 1)
            covariance += x.T @ x
            count += length
        found = _canonical(covariance / count, len(by_sound))
        late = [_lag(mouth @ found.mouth, sound @ found.sound) for mouth, sound in windows]
        # Only against each other: all of them together would drift from round to round.
        lags = [lag - int(np.median(late)) for lag in late]
    return SyncFit(found.sound / by_sound[:, None], found.mouth / by_mouth[:, None])


def compare(
    fits: Sequence[SyncFit], folds: NDArray[np.integer], clips: Sequence[NDArray[np.floating]]
) -> SetSync:
    """Each clip's mouth against its own sound and those of other clips.

    `folds`: (N,) which fit each clip is judged by: one that has not seen it; `clips`: (T, 70)
    `sync_features`, at least five.
    """
    windows = [_windows_of(clip) for clip in clips]
    foreign = shifts.others(len(clips))
    curves = np.zeros((len(clips), 1 + foreign.shape[1], 2 * MAX_LAG + 1))
    for fold, one in enumerate(fits):
        sounds = [_centred(sound @ one.sound) for _, sound in windows]
        for k in np.flatnonzero(folds == fold).tolist():
            mouth = _centred(windows[k][0] @ one.mouth)
            curves[k] = shifts.shift_correlations(
                mouth, [sounds[k], *(sounds[int(j)] for j in foreign[k])]
            )
    peaks = curves.max(2)
    own, chance = peaks[:, 0], peaks[:, 1:]
    return SetSync(
        shifts.lag_of_set(curves),
        (own - chance.mean(1)) / (chance.std(1) + 1e-9),
        (own[:, None] > chance).mean(1),
    )


def _canonical(covariance: NDArray[np.float64], split: int) -> SyncFit:
    """Directions of sound (the first `split` features) and mouth, the best predicted first."""
    sound, mouth, both = (
        covariance[:split, :split],
        covariance[split:, split:],
        covariance[:split, split:],
    )
    ridge = solve(sound + _RIDGE_SOUND * np.eye(len(sound)), both, assume_a="pos")
    # Maximises the predicted share of the variance along a direction of the mouth.
    values, vectors = eigh(both.T @ ridge, mouth + _RIDGE_MOUTH * np.eye(len(mouth)))
    best = vectors[:, np.argsort(values)[::-1][:_DIRECTIONS]]
    return SyncFit(ridge @ best, best)


def _windows_of(clip: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(T, 3 x 44) of the mouth and (T, 11 x 26) of the sound around each frame."""
    last = len(clip) - 1
    parts = []
    for curves, around in ((clip[:, :_SPLIT], _MOUTH), (clip[:, _SPLIT:], _SOUND)):
        at = (np.arange(len(clip))[:, None] + np.array(around)).clip(0, last)
        parts.append(np.asarray(curves, np.float64)[at].reshape(len(clip), -1))
    return parts[0], parts[1]


def _centred(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    return curves - curves.mean(0)


def _lag(mouth: NDArray[np.float64], sound: NDArray[np.float64]) -> int:
    """By how many frames the sound of a clip is late, within ±4."""
    curve = shifts.shift_correlations(_centred(mouth), [_centred(sound)])[0]
    near = curve[MAX_LAG - _MOST_SHIFTED : MAX_LAG + _MOST_SHIFTED + 1]
    return int(near.argmax()) - _MOST_SHIFTED
