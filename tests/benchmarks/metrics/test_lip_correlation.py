"""Lip lag and correlation: a shift of k frames moves the lag by k; still lips follow no sound."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.metrics.lip_correlation import lag_and_peak, lip_correlations, lip_curves


def curves(shift, seed=0, length=100):
    """Lips and the sound they follow, `shift` frames late."""
    rng = np.random.default_rng(seed)
    speech = np.convolve(rng.normal(size=length + 40), np.ones(4), "same")
    sound = speech[20 : 20 + length]
    lips = speech[20 + shift : 20 + shift + length] + rng.normal(0, 0.3, length)
    return lips, sound


@pytest.mark.parametrize("shift", [-7, -1, 0, 1, 4])
def test_a_clip_shifted_by_k_frames_moves_the_lag_by_k(shift):
    lag, correlation = lag_and_peak([lip_correlations(*curves(shift))])
    assert lag == shift
    assert correlation > 0.9


def test_the_lag_of_a_set_is_that_of_the_mean_curve():
    clips = [lip_correlations(*curves(2, seed)) for seed in range(5)]
    lag, correlation = lag_and_peak(clips)
    assert lag == 2
    assert correlation == pytest.approx(np.mean(clips, 0).max())


def test_still_lips_and_silence_correlate_with_nothing():
    lips, sound = curves(0)
    for one, other in ((np.full_like(lips, 0.1), sound), (lips, np.full_like(sound, -100))):
        curve = lip_correlations(one, other)
        assert not curve.any()
        lag, correlation = lag_and_peak([curve])
        assert np.isnan(lag)
        assert correlation == 0
    # Among clips that move, one that does not lowers the correlation and leaves the lag.
    moving, still = lip_correlations(lips, sound), np.zeros(31)
    lag, correlation = lag_and_peak([moving, still])
    assert (lag, correlation) == (0, pytest.approx(moving.max() / 2))


def test_curves_are_a_number_a_frame():
    landmarks = np.zeros((50, 68, 2))
    landmarks[:, 45, 0] = 10
    landmarks[:, 66, 1] = np.linspace(0, 3, 50)
    opening, energy = lip_curves(landmarks, np.full(40 * 640, 1000, np.int16))
    assert opening == pytest.approx(np.linspace(0, 0.3, 50))
    assert energy[:40] == pytest.approx(20 * np.log10(1000 / 32768), abs=1e-3)
    assert energy[40:] == pytest.approx(-100)
    with pytest.raises(ValueError, match="at least 20 frames"):
        lip_correlations(opening[:19], energy[:19])
