"""Sync fitted on real clips: what drives a mouth, how late it is, and what does not drive it."""

import numpy as np
import pytest
from scipy.linalg import subspace_angles

from benchmarks.metrics.speech import speech_sync
from benchmarks.metrics.speech.speech_sync import compare, fit, judge, sync_features

FRAMES = 75
SPLIT = slice(44), slice(44, None)  # mouth, sound


def features(seed, late=0, *, driven=True):
    """A clip whose mouth follows its sound linearly, with noise, `late` frames off."""
    rng = np.random.default_rng(seed)
    sound = rng.normal(size=(FRAMES + 40, 26))
    source = sound if driven else rng.normal(size=sound.shape)
    mixing = np.random.default_rng(99).normal(size=(26, 44))
    mouth = source[20 - late : 20 - late + FRAMES] @ mixing * 0.1 + rng.normal(size=(FRAMES, 44))
    both = np.concatenate([mouth, sound[20 : 20 + FRAMES]], 1)
    return both - both.mean(0)


@pytest.fixture(scope="module")
def real():
    return [features(k) for k in range(30)]


@pytest.mark.slow
def test_a_fake_that_is_late_has_that_lag_and_a_real_clip_none(real):
    # The mouth of the fakes comes 3 frames after their sound: the sound is early.
    fake, of_real = judge(real, [features(k, 3) for k in range(30)])
    assert (fake.lag.lag, of_real.lag.lag) == (-3, 0)
    assert fake.lag.stands_out
    assert fake.confidence.mean() > 3
    assert fake.wins.mean() > 0.95


@pytest.mark.slow
def test_a_mouth_with_foreign_sound_is_chance(real):
    fake, _ = judge(real, [features(k, driven=False) for k in range(30)])
    assert not fake.lag.stands_out
    assert abs(fake.confidence.mean()) < 0.8
    assert fake.wins.mean() == pytest.approx(0.5, abs=0.15)


def test_clips_that_are_late_are_put_right_before_the_fit(real, monkeypatch):
    late = [features(k, shift) for k, shift in enumerate((3, 0, 0) * 10)]
    thrice = compare([fit(late)], np.zeros(30, int), real).confidence.mean()
    monkeypatch.setattr(speech_sync, "_ROUNDS", 1)
    once = compare([fit(late)], np.zeros(30, int), real).confidence.mean()
    assert thrice > once + 0.5


@pytest.mark.slow
def test_no_clip_is_judged_by_a_fit_on_itself(real, monkeypatch):
    seen = []
    monkeypatch.setattr(speech_sync, "fit", lambda clips: seen.append(clips) or fit(clips))
    monkeypatch.setattr(
        speech_sync,
        "compare",
        lambda fits, folds, clips: seen.append(folds) or compare(fits, folds, clips),
    )
    judge(real, real)
    *trained, folds, _ = seen
    assert len(trained) == 5
    for clip, fold in zip(real, folds.tolist(), strict=True):
        assert all(clip is not other for other in trained[fold])
        assert sum(any(clip is other for other in one) for one in trained) == 4


def test_without_ridge_and_context_it_is_canonical_correlation(monkeypatch, real):
    for name, value in (("_RIDGE_SOUND", 1e-9), ("_RIDGE_MOUTH", 1e-9), ("_SOUND", (0,)),
                        ("_MOUTH", (0,)), ("_ROUNDS", 1)):  # fmt: skip
        monkeypatch.setattr(speech_sync, name, value)
    one = fit(real)
    mouths, sounds = (np.concatenate([clip[:, part] for clip in real]) for part in SPLIT)
    mouth, sound = mouths @ one.mouth, sounds @ one.sound
    found = [np.corrcoef(mouth[:, k], sound[:, k])[0, 1] for k in range(mouth.shape[1])]
    reference = np.cos(subspace_angles(mouths, sounds))[::-1]
    assert found == pytest.approx(reference[: len(found)], abs=1e-6)


@pytest.mark.slow
def test_too_few_clips_and_a_sound_that_predicts_nothing_say_so(real):
    with pytest.raises(ValueError, match="at least 20"):
        judge(real[:19], real[:19])
    foreign = [features(k, driven=False) for k in range(30)]
    with pytest.raises(ValueError, match="not beyond chance"):
        judge(foreign, foreign)


def test_features_do_not_change_with_where_the_face_is_and_how_it_is_turned():
    rng = np.random.default_rng(3)
    face = rng.normal(0, 20, (1, 68, 2)) + rng.normal(0, 0.5, (40, 68, 2))
    samples = rng.integers(-3000, 3000, 40 * 640).astype(np.int16)
    angle = 0.3
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    one, other = sync_features(face, samples), sync_features(2 * face @ turn + 100, samples)
    assert one.shape == (40, 70)
    assert other == pytest.approx(one, abs=1e-4)
    assert one.mean(0) == pytest.approx(0, abs=1e-3)
