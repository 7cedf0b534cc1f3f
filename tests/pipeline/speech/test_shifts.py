"""Correlations over shifts against SciPy's; a set shifted by k frames moves its lag by k."""

import numpy as np
import pytest
from scipy.ndimage import convolve1d
from scipy.spatial.distance import cosine

from pipeline.speech.shifts import (
    lag_of_set,
    lip_correlations,
    lip_lag_of_set,
    others,
    shift_correlations,
    without_trend,
)


def curves(shift, seed=0, length=100):
    """Lips and the sound they follow, `shift` frames late."""
    rng = np.random.default_rng(seed)
    speech = np.convolve(rng.normal(size=length + 40), np.ones(4), "same")
    sound = speech[20 : 20 + length]
    lips = speech[20 + shift : 20 + shift + length] + rng.normal(0, 0.3, length)
    return lips, sound


def test_each_shift_is_the_cosine_of_the_frames_that_overlap():
    rng = np.random.default_rng(0)
    mouth, sounds = rng.normal(size=(40, 3)), [rng.normal(size=(n, 3)) for n in (40, 25, 70)]
    found = shift_correlations(mouth, sounds)
    assert found.shape == (3, 31)
    for row, sound in zip(found, sounds, strict=True):
        for value, shift in zip(row, range(-15, 16), strict=True):
            at = [t for t in range(len(mouth)) if 0 <= t + shift < len(sound)]
            own, other = mouth[at].ravel(), sound[[t + shift for t in at]].ravel()
            assert value == pytest.approx(1 - cosine(own, other), abs=1e-9)
    assert not shift_correlations(np.zeros((40, 3)), sounds).any()


def test_the_trend_is_a_moving_mean_of_nine_frames():
    curve = np.random.default_rng(1).normal(size=(30, 2))
    trend = convolve1d(curve, np.ones(9) / 9, axis=0, mode="nearest")
    assert without_trend(curve) == pytest.approx(curve - trend)


def test_others_are_different_clips_and_never_oneself():
    for count in (5, 12, 60):
        found = others(count)
        assert found.shape == (count, min(40, count - 1))
        for k, row in enumerate(found.tolist()):
            assert len(set(row)) == len(row)
            assert k not in row
    assert (others(60) == others(60)).all()


def test_chance_is_what_99_percent_of_swapped_sets_stay_below():
    rng = np.random.default_rng(2)
    curves = rng.normal(0, 0.1, (12, 12, 31))
    foreign = curves[:, 1:]
    curves[:, 0, 18] += 0.5
    found = lag_of_set(curves)
    assert found.lag == 3
    assert found.stands_out
    drawn = [
        np.mean([foreign[k, rng.integers(11)] for k in range(12)], 0).max() for _ in range(4000)
    ]
    assert found.chance == pytest.approx(np.quantile(drawn, 0.99), abs=0.015)
    assert not lag_of_set(foreign).stands_out


@pytest.mark.parametrize("shift", [-7, -1, 0, 1, 4])
def test_a_set_shifted_by_k_frames_moves_the_lag_by_k(shift):
    found = lip_lag_of_set([curves(shift, seed) for seed in range(8)])
    assert found.stands_out
    assert found.lag == shift
    assert found.peak == pytest.approx(found.curves.mean(0).max())
    assert found.peak > 0.8 > found.chance


def test_lips_with_the_sounds_of_others_do_not_stand_out():
    alarms = 0
    for seed in range(0, 400, 20):
        clips = [curves(0, seed + k) for k in range(10)]
        swapped = [(lips, clips[k - 1][1]) for k, (lips, _) in enumerate(clips)]
        alarms += lip_lag_of_set(swapped).stands_out
    assert alarms <= 1


def test_fewer_than_five_clips_have_no_chance_level():
    found = lip_lag_of_set([curves(2, seed) for seed in range(4)])
    assert (found.lag, found.chance, found.stands_out) == (2, 1.0, False)


def test_still_lips_and_silence_correlate_with_nothing():
    lips, sound = curves(0)
    for one, other in ((np.full_like(lips, 0.1), sound), (lips, np.full_like(sound, -100))):
        assert not lip_correlations(one, [other]).any()
        assert not lip_lag_of_set([(one, other)] * 6).stands_out
    # Among clips that move, one that does not lowers the correlation and leaves the lag.
    moving = lip_correlations(lips, [sound])[0].max()
    found = lip_lag_of_set([(lips, sound), (np.full_like(lips, 0.1), sound)])
    assert (found.lag, found.peak) == (0, pytest.approx(moving / 2))
