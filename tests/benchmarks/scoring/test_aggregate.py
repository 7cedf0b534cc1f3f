"""Numbers over a set: means, medians, pooled blinks and lips, Fréchet distances."""

import numpy as np
import pytest

from benchmarks.clips.cache import MeasurementCache
from benchmarks.metrics.catalogue import METRICS
from benchmarks.metrics.distribution.frechet import Moments, distance
from benchmarks.scoring.aggregate import SetStatistics
from benchmarks.scoring.scorer import MeasuredClip
from benchmarks.scoring.set_rows import bootstrap_interval
from tests.benchmarks.metrics.speech.test_speech_sync import features as mouth_and_sound
from tests.pipeline.speech.test_shifts import curves


@pytest.fixture
def cache(tmp_path):
    return MeasurementCache(tmp_path)


def over(cache, metrics, clips):
    statistics = SetStatistics({name: METRICS[name] for name in metrics}, cache)
    for clip in clips:
        statistics.add(clip)
    return statistics.rows()


def clip(number, values=None, real=None, missing=None, **pooled):
    row = {"clip_id": f"clip{number}", "status": "ok", "values": values or {}}
    row |= {"real_values": real or {}, "missing": missing or {}}
    return MeasuredClip(row, pooled)


def test_means_count_the_clips_that_have_a_value(cache):
    clips = [clip(0, {"ofm": 50.0}, {"ofm": 60.0}), clip(1, {"ofm": 70.0}, {"ofm": 62.0}), clip(2)]
    row = over(cache, ["ofm"], clips)["ofm"]
    assert (row["n"], row["mean"], row["real"]) == (2, 60.0, 61.0)
    assert row["std"] == pytest.approx(np.std([50, 70], ddof=1))
    assert row["protocol"].startswith("ofm_released_n2: Farneback")
    assert (row["direction"], row["reason"]) == ("closer", "")


def test_what_no_clip_has_says_why(cache):
    clips = [
        clip(k, missing={"csim": "dlib is not installed: pip install dlib-bin"}) for k in (0, 1)
    ]
    row = over(cache, ["csim"], clips)["csim"]
    assert (row["n"], row["mean"], row["ci95"]) == (0, None, None)
    assert row["reason"] == "dlib is not installed: pip install dlib-bin"
    failed = MeasuredClip({"clip_id": "x", "status": "failed", "reason": "no video"}, {})
    assert "see the reasons" in over(cache, ["ssim"], [failed])["ssim"]["reason"]


def test_blinks_are_pooled_over_clips(cache):
    def eyes(number, *durations):
        found = {"durations": list(durations), "seconds": 4.0}
        return clip(number, blinks={"fake": found, "real": {"durations": [0.2], "seconds": 2.0}})

    rows = over(
        cache, ["blinks_per_second", "blink_duration"], [eyes(0, 0.2, 0.3), eyes(1), eyes(2, 0.9)]
    )
    rate, duration = rows["blinks_per_second"], rows["blink_duration"]
    assert (rate["mean"], rate["real"]) == (pytest.approx(3 / 12), pytest.approx(0.5))
    assert (duration["mean"], duration["real"]) == (0.3, 0.2)
    assert rate["ci95"][0] <= rate["mean"] <= rate["ci95"][1]
    none = over(cache, ["blinks_per_second", "blink_duration"], [eyes(0), eyes(1)])
    assert none["blinks_per_second"]["mean"] == 0
    assert none["blink_duration"]["mean"] is None
    assert none["blink_duration"]["reason"] == "no eye blinks in any clip"


def test_the_lag_of_lips_is_of_the_set_and_beyond_chance(cache):
    def rows(count, shift, real):
        pairs = [{"fake": curves(shift, k), "real": real(k)} for k in range(count)]
        clips = [clip(k, lips=pair) for k, pair in enumerate(pairs)]
        return over(cache, ["lip_lag", "lip_correlation"], clips)

    still = rows(12, 3, lambda k: (np.full(100, 0.1), curves(0, k)[1]))
    assert (still["lip_lag"]["mean"], still["lip_lag"]["ci95"]) == (3, [3, 3])
    assert still["lip_lag"]["real"] is None  # still lips have none
    row = still["lip_correlation"]
    assert row["ci95"][0] < row["mean"] < row["ci95"][1]
    assert (row["real"], row["mean"] > row["chance"] > 0.1) == (0, True)
    # Real lips with the sound of another clip, and too few clips to tell.
    foreign = rows(12, 0, lambda k: (curves(0, k)[0], curves(0, k + 50)[1]))
    assert (foreign["lip_lag"]["mean"], foreign["lip_lag"]["real"]) == (0, None)
    few = rows(3, 2, lambda k: curves(0, k))
    assert few["lip_lag"]["mean"] is None
    assert "5 clips" in few["lip_lag"]["reason"]
    assert "chance" not in few["lip_correlation"]


@pytest.mark.slow
def test_sync_is_named_by_what_it_was_fitted_on(cache):
    def rows(count, late):
        clips = []
        for k in range(count):
            for side, shift in (("real", 0), ("fake", late)):
                cache.array(f"{count}{side}{k}", lambda k=k, shift=shift: mouth_and_sound(k, shift))
            clips.append(clip(k, speech_sync={s: f"{count}{s}{k}" for s in ("real", "fake")}))
        names = ("sync_lag", "sync_confidence")
        statistics = SetStatistics({name: METRICS[name] for name in names}, cache, "CREMA-D")
        for one in clips:
            statistics.add(one)
        return statistics.rows()

    found = rows(25, 3)
    assert (found["sync_lag"]["mean"], found["sync_lag"]["real"]) == (-3, 0)
    assert found["sync_lag"]["protocol"].startswith("sync_lag_fit25cremad_n25: canonical")
    low, high = found["sync_confidence"]["ci95"]
    assert 3 < low < found["sync_confidence"]["mean"] < high
    assert "at least 20" in rows(6, 0)["sync_confidence"]["reason"]


def test_av_offset_is_the_median(cache):
    clips = [clip(k, {"av_offset": v}, {"av_offset": 1.0}) for k, v in enumerate((-2, -2, -1, 14))]
    row = over(cache, ["av_offset"], clips)["av_offset"]
    assert (row["mean"], row["real"]) == (-1.5, 1.0)


def test_wer_counts_words(cache):
    row = over(
        cache,
        ["wer", "cer"],
        [clip(0, wer={"fake": [1, 10, 2, 50]}), clip(1, wer={"fake": [2, 2, 7, 10]})],
    )
    assert row["wer"]["mean"] == pytest.approx(3 / 12)
    assert row["cer"]["mean"] == pytest.approx(9 / 60)


def features(cache, rng, clips, shift):
    """Clips with FVD features in the cache: three real and three fake vectors each."""
    made, real, fake = [], [], []
    for number in range(clips):
        both = rng.normal(size=(2, 3, 8)) + rng.normal(0, 0.5, (2, 1, 8))
        both[1] += shift
        keys = {side: f"{number:04d}{side}" for side in ("real", "fake")}
        for key, value in zip(keys.values(), both, strict=True):
            cache.array(key, lambda value=value: value.astype(np.float32))
        real.append(both[0])
        fake.append(both[1])
        made.append(clip(number, fvd={side: (key, None) for side, key in keys.items()}))
    return made, np.concatenate(real), np.concatenate(fake)


@pytest.mark.slow
def test_frechet_distances_are_of_all_features_and_their_interval_covers(cache):
    rng = np.random.default_rng(0)
    clips, real, fake = features(cache, rng, 60, 0.5)
    row = over(cache, ["fvd"], clips)["fvd"]
    expected = distance(Moments.of(real.astype(np.float32)), Moments.of(fake.astype(np.float32)))
    assert row["mean"] == pytest.approx(expected, rel=1e-9)
    assert row["protocol"].startswith("fvd_16f_n60: ")
    assert row["protocol"].endswith("; of 180 real and 180 generated windows")
    low, high = row["ci95"]
    assert low < row["mean"] < high
    # The spread of the distance over sets made anew is what the interval tells of one set.
    anew = []
    for seed in range(40):
        _, real, fake = features(cache, np.random.default_rng(100 + seed), 60, 0.5)
        anew.append(distance(Moments.of(real), Moments.of(fake)))
    assert (high - low) / 2 == pytest.approx(1.96 * np.std(anew, ddof=1), rel=0.5)


def test_the_interval_does_not_depend_on_the_order_of_clips(cache):
    clips, _, _ = features(cache, np.random.default_rng(1), 12, 1.0)
    first = over(cache, ["fvd"], clips)["fvd"]
    second = over(cache, ["fvd"], clips[::-1])["fvd"]
    assert second["ci95"] == pytest.approx(first["ci95"])


def test_no_feature_at_all_says_why(cache):
    why = "a.mp4 is shorter than a window of 16 frames"
    row = over(cache, ["fvd"], [clip(0, missing={"fvd": why})])["fvd"]
    assert (row["mean"], row["reason"], row["n"]) == (None, why, 0)


def test_bootstrap_has_the_width_of_the_normal_interval():
    values = np.random.default_rng(5).normal(3.0, 2.0, 400)
    low, high = bootstrap_interval(values)
    half = 1.96 * values.std(ddof=1) / np.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_one_feature_vector_is_the_reason_itself(cache):
    clips, _, _ = features(cache, np.random.default_rng(0), 1, 0.5)
    for side in ("real", "fake"):
        cache.array(f"one {side}", lambda: np.ones((1, 8), np.float32))
    short = clip(0, fid={"fake": ("one fake", None), "real": ("one real", 1)})
    assert over(cache, ["fvd"], clips)["fvd"]["mean"] is not None
    row = over(cache, ["fid"], [short])["fid"]
    assert (row["mean"], row["n"]) == (None, 1)
    assert "two feature vectors, not 1 and 1 (one is made of a frame)" in row["reason"]
