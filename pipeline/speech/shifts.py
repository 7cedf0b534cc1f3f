"""Mouth against sound over shifts, and what chance gives: the sounds of other clips.

The highest of 31 correlations is positive for any two curves. Whether a clip's own sound fits its
mouth shows only beside sounds that do not belong to it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.speech.lip_sync import MAX_LAG

Curves = NDArray[np.float64]

WINDOW = 9  # frames of the moving mean that is subtracted
FEWEST_CLIPS = 5  # for a chance level: 44 ways to give each clip another's sound
PERMUTATIONS = 300
_QUANTILE = 0.99
_FOREIGN = 40  # sounds of others that each mouth is compared with
_SURE = 0.9  # share of resamples of the clips


@dataclass(frozen=True)
class SetLag:
    """The peak of a set's mean correlation over shifts."""

    lag: float  # frames, positive where the sound is late
    peak: float  # the correlation there
    chance: float  # what 99 % of the sets with swapped sounds stay below
    curves: Curves  # (N, 31) correlations of each clip over shifts

    @property
    def stands_out(self) -> bool:
        """Whether the peak is beyond chance."""
        return self.peak > self.chance

    @property
    def is_sure(self) -> bool:
        """Whether it stands out, and 90 % of 300 bootstrap resamples of the clips agree with it.

        They agree where their lag is within a frame of it, and nearer to it than to 0.
        """
        count = len(self.curves)
        drawn = np.random.default_rng(0).integers(count, size=(PERMUTATIONS, count))
        lags = np.array([self.curves[rows].mean(0).argmax() - MAX_LAG for rows in drawn])
        off = np.abs(lags - self.lag)
        agree = (off <= 1) & ((off < np.abs(lags)) | (self.lag == 0))
        return self.stands_out and float(agree.mean()) >= _SURE


def without_trend(curves: NDArray[np.floating]) -> NDArray[np.float64]:
    """(T, …) curves less their moving mean over 9 frames."""
    x = np.asarray(curves, np.float64)
    from scipy.ndimage import uniform_filter1d  # takes a fifth of a second, at every start

    return x - uniform_filter1d(x, WINDOW, axis=0, mode="nearest")


def shift_correlations(
    mouth: NDArray[np.floating], sounds: Sequence[NDArray[np.floating]]
) -> Curves:
    """Correlation of a mouth with several sounds at shifts −15 … 15, over the frames that overlap.

    (T, K) curves of the mouth and (T', K) of each sound, of mean 0, to (len(sounds), 31): at shift
    d frame t of the mouth meets frame t + d of the sound. 0 where one does not vary.
    """
    longest = max(map(len, sounds))
    padded = np.zeros((len(sounds), longest, mouth.shape[1]))
    inside = np.zeros((len(sounds), longest))
    for row, known, sound in zip(padded, inside, sounds, strict=True):
        row[: len(sound)], known[: len(sound)] = sound, 1
    of_mouth, of_sound = (mouth**2).sum(1), (padded**2).sum(2)
    curves = np.zeros((len(sounds), 2 * MAX_LAG + 1))
    for column, shift in enumerate(range(-MAX_LAG, MAX_LAG + 1)):
        # The frames of the mouth and of the sounds that overlap at this shift.
        first, last = max(0, -shift), min(len(mouth), longest - shift)
        lips, voice = slice(first, last), slice(first + shift, last + shift)
        if first < last:
            products = np.einsum("tk,ntk->n", mouth[lips], padded[:, voice])
            energy = (inside[:, voice] @ of_mouth[lips]) * of_sound[:, voice].sum(1)
            scale = np.sqrt(energy)
            np.divide(products, scale, out=curves[:, column], where=scale > 1e-9)
    return curves


def others(count: int) -> NDArray[np.int64]:
    """(N, M) clips whose sounds stand for chance beside each of N clips: up to 40, seed 0."""
    rng = np.random.default_rng(0)
    steps = np.arange(1, count)
    return np.stack(
        [(k + rng.permutation(steps)[: min(_FOREIGN, count - 1)]) % count for k in range(count)]
    )


def lag_of_set(curves: Curves) -> SetLag:
    """Lag and peak of a set's mean curve, and its chance level from 300 sets of swapped sounds.

    (N, 1 + M, 31) curves are of each clip's mouth with its own sound, then with those of other
    clips; with M = 0 nothing is beyond chance.
    """
    own, foreign = curves[:, 0], curves[:, 1:]
    mean = own.mean(0)
    best = int(mean.argmax())
    if not foreign.shape[1]:
        return SetLag(float(best - MAX_LAG), float(mean[best]), 1.0, own)
    rng, rows = np.random.default_rng(0), np.arange(len(own))
    drawn = rng.integers(foreign.shape[1], size=(PERMUTATIONS, len(own)))
    peaks = [foreign[rows, chosen].mean(0).max() for chosen in drawn]
    chance = float(np.quantile(peaks, _QUANTILE))
    return SetLag(float(best - MAX_LAG), float(mean[best]), chance, own)


def lip_correlations(
    opening: NDArray[np.floating], energy: Sequence[NDArray[np.floating]]
) -> NDArray[np.float64]:
    """(N, 31) correlations at shifts −15 … 15 with N sounds; 0 where lips or sound do not vary.

    (T,) opening of `lip_curves`, and log energy (T',) of each sound.
    """
    sounds = [without_trend(one)[:, None] for one in energy]
    return shift_correlations(without_trend(opening)[:, None], sounds)


def lip_lag_of_set(clips: Sequence[Sequence[NDArray[np.floating]]]) -> SetLag:
    """Lag, peak and chance level of the mean over clips; a chance of 1 for fewer than five.

    Each clip is its opening and log energy, (T,) each.
    """
    few = len(clips) < FEWEST_CLIPS
    foreign = np.zeros((len(clips), 0), int) if few else others(len(clips))
    curves = np.stack(
        [
            lip_correlations(opening, [clips[j][1] for j in (k, *foreign[k])])
            for k, (opening, _) in enumerate(clips)
        ]
    )
    return lag_of_set(curves)
