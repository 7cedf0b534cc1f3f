"""Lips against sound: Pearson's correlation at every lag, and the lags of real sets."""

import warnings
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr

from pipeline.faces.mouth_box import mouth_opening
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import read_audio, read_frames
from pipeline.speech.lip_sync import MAX_LAG, correlations, lag_and_correlation, log_energy


def test_loudness_is_the_level_of_each_frame_in_db_full_scale():
    time = np.arange(640) / 16_000
    loud = 32_767 * np.sin(2 * np.pi * 400 * time)  # a full-scale sine: -3.01 dB
    samples = np.concatenate([loud, loud / 10, np.zeros(640)]).astype(np.int16)
    np.testing.assert_allclose(log_energy(samples, 4), [-3.01, -23.01, -100, -100], atol=0.02)


def test_each_lag_is_pearsons_correlation_of_the_frames_that_meet():
    rng = np.random.default_rng(0)
    opening, energy = rng.normal(size=60), rng.normal(size=60)
    curve = correlations(opening, energy, 12)
    assert curve.shape == (25,)
    for lag in range(-12, 13):
        pairs = [(opening[t], energy[t + lag]) for t in range(60) if 0 <= t + lag < 60]
        wanted = pearsonr(*np.array(pairs).T).statistic
        assert curve[lag + 12] == pytest.approx(wanted, abs=1e-12)


@pytest.mark.parametrize("shift", [-4, 0, 3])
def test_sound_that_is_late_by_k_frames_has_lag_k(shift: int):
    rng = np.random.default_rng(1)
    mouth = np.abs(rng.normal(size=120)) + np.sin(np.arange(120) / 3)
    sound = np.roll(mouth, shift) + rng.normal(0, 0.1, 120)
    lag, correlation = lag_and_correlation(mouth, sound)
    assert lag == shift
    assert correlation > 0.95


def test_what_does_not_vary_or_is_too_short_has_no_lag():
    rng = np.random.default_rng(2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for opening, energy in (
            (np.full(50, 0.1), rng.normal(size=50)),
            (rng.normal(size=50), np.full(50, -100.0)),
            (rng.normal(size=3), rng.normal(size=3)),
            (np.empty(0), np.empty(0)),
        ):
            assert np.isnan(lag_and_correlation(opening, energy)).all()
        # At lags where too little overlaps there is none, at the others there is.
        curve = correlations(rng.normal(size=12), rng.normal(size=12), 15)
        assert np.isnan(curve[[0, -1]]).all()
        assert not np.isnan(curve[10:21]).any()


def _curve(tracker: MediaPipeTracker, path: Path) -> np.ndarray:
    points = tracker.track(read_frames(path)).points
    energy = log_energy(read_audio(path).samples, len(points))
    return correlations(mouth_opening(points), energy)


@pytest.mark.slow
def test_grid_is_in_sync(tracker: MediaPipeTracker, shared_data: Path):
    clips = sorted((shared_data / "grid_s1").glob("*.mpg"))[::30]
    mean = np.mean([_curve(tracker, path) for path in clips], axis=0)
    assert mean.argmax() == MAX_LAG
    assert 0.4 < mean.max() < 0.75


@pytest.mark.slow
def test_the_authors_outputs_are_a_frame_off(tracker: MediaPipeTracker, shared_data: Path):
    clips = sorted((shared_data / "diffused_heads_outputs").glob("*.mp4"))
    assert np.mean([_curve(tracker, path) for path in clips], axis=0).argmax() == MAX_LAG - 1
