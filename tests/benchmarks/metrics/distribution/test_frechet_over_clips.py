"""FID and FVD of many clips, taken up in portions, against all features at once."""

import numpy as np
import pytest

from benchmarks.metrics.distribution.frechet import RESAMPLES, FrechetOverClips, Moments, distance


def clips(count, size, seed=0):
    """(name, real, fake) of clips of unequal length, the two sides too."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        real, fake = (rng.normal(shift, 1, (rng.integers(20, 90), size)) for shift in (0, 0.3))
        made.append((f"clip-{number}", real.astype(np.float32), fake.astype(np.float32)))
    return made


@pytest.mark.slow
@pytest.mark.parametrize("size", [12, 300])  # taken up clip by clip, and two to seven together
def test_portions_lose_and_repeat_nothing(size):
    found, made = FrechetOverClips(), clips(50, size)
    for clip in made:
        found.add(*clip)
    sides = [Moments.of(np.concatenate([clip[side] for clip in made])) for side in (1, 2)]
    mean, interval = found.distance()
    assert mean == pytest.approx(distance(*sides), rel=1e-12)
    assert interval[0] < mean < interval[1]
    assert found.clips == 50
    assert found.distance() == (mean, interval)  # nothing waits any more


def test_a_clip_weighs_the_same_in_both_sides_of_a_resample():
    found = FrechetOverClips()
    for name, real, _ in clips(50, 12):
        found.add(name, real, real)
    mean, interval = found.distance()
    assert mean == pytest.approx(0, abs=1e-9)
    assert interval == pytest.approx([0, 0], abs=1e-9)


def test_resamples_are_for_features_that_are_few():
    few, many = FrechetOverClips(), FrechetOverClips()
    for found, size in ((few, 512), (many, 513)):
        for clip in clips(2, size):
            found.add(*clip)
        found.distance()
    assert (len(few._resamples), len(many._resamples)) == (RESAMPLES, 0)
    assert many.distance()[1] is None


def test_one_vector_is_too_little():
    found = FrechetOverClips()
    with pytest.raises(ValueError, match="no feature vector"):
        found.distance()
    found.add("a", np.ones((1, 4)), np.ones((1, 4)))
    with pytest.raises(ValueError, match="two feature vectors, not 1 and 1"):
        found.distance()
