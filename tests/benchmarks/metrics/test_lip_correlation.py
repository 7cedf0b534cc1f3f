"""Lip lag and correlation: a shift of k frames moves the lag by k; still lips follow no sound."""

import numpy as np
import pytest

from benchmarks.metrics.lip_correlation import lip_correlations, lip_curves, lip_lag_of_set


def curves(shift, seed=0, length=100):
    """Lips and the sound they follow, `shift` frames late."""
    rng = np.random.default_rng(seed)
    speech = np.convolve(rng.normal(size=length + 40), np.ones(4), "same")
    sound = speech[20 : 20 + length]
    lips = speech[20 + shift : 20 + shift + length] + rng.normal(0, 0.3, length)
    return lips, sound


def landmarks_of(opening):
    """Faces whose lips open like this."""
    landmarks = np.zeros((len(opening), 68, 2))
    landmarks[:, 45, 0] = 10
    landmarks[:, 66, 1] = 10 * np.asarray(opening)
    return landmarks


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


def test_curves_are_a_number_a_frame():
    landmarks = landmarks_of(np.linspace(0, 0.3, 50))
    opening, energy = lip_curves(landmarks, np.full(40 * 640, 1000, np.int16))
    assert opening == pytest.approx(np.linspace(0, 0.3, 50))
    assert energy[:40] == pytest.approx(20 * np.log10(1000 / 32768), abs=1e-3)
    assert energy[40:] == pytest.approx(-100)
    with pytest.raises(ValueError, match="at least 20 frames"):
        lip_curves(landmarks[:19], np.zeros(640, np.int16))
