"""Correlations over shifts against SciPy's, frame by frame; swapped sounds are never one's own."""

import numpy as np
import pytest
from scipy.ndimage import convolve1d
from scipy.spatial.distance import cosine

from benchmarks.metrics.shifts import lag_of_set, others, shift_correlations, without_trend


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
