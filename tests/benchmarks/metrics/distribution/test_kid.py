"""KID: against the formula written out, torchmetrics' MMD, and its spread over sets made anew."""

import numpy as np
import pytest
import torch
from torchmetrics.image.kid import poly_mmd

from benchmarks.metrics.distribution.kid import MOST_FRAMES, chosen_frames, kernel_means, kid


def clips(rng, count, shift=0.0, frames=(1, 6), own=0.7):
    """Real and fake features of clips: the frames of a clip are alike, and like its fake's."""
    real, fake = [], []
    for _ in range(count):
        who = rng.normal(0, own, 32)
        for side, by in ((real, 0.0), (fake, shift)):
            size = (int(rng.integers(*frames)), 32)
            side.append((who + by + rng.normal(0, 0.5, size)).astype(np.float32))
    return real, fake


def k(x, y):
    return (float(x.astype(np.float64) @ y) / len(x) + 1) ** 3


def test_it_is_the_formula_over_pairs_of_clips():
    real, fake = clips(np.random.default_rng(0), 7, 0.3)

    def mean(x, y):
        return np.mean([k(a, b) for a in x for b in y])

    terms = [
        mean(real[i], real[j]) + mean(fake[i], fake[j]) - 2 * mean(real[i], fake[j])
        for i in range(7)
        for j in range(7)
        if i != j
    ]
    found, interval = kid(real, fake)
    assert found == pytest.approx(1000 * np.mean(terms), rel=1e-5)
    # The jackknife: the statistic without each clip in turn.
    without = [kid(real[:i] + real[i + 1 :], fake[:i] + fake[i + 1 :])[0] for i in range(7)]
    error = 2.4469 * np.sqrt(6 / 7 * np.sum((without - np.mean(without)) ** 2))
    assert interval == pytest.approx([found - error, found + error], rel=1e-4)


def test_of_independent_pictures_it_is_what_torchmetrics_has():
    # One frame a clip, nothing in common with its fake: kernel distances of the field.
    rng = np.random.default_rng(1)
    real, fake = (rng.normal(shift, 1, (300, 1, 64)).astype(np.float32) for shift in (0, 0.2))
    x, y = (torch.from_numpy(side[:, 0]).double() for side in (real, fake))
    # torchmetrics counts each fake against its own real clip too, which the U-statistic does not.
    own = np.mean([k(a[0], b[0]) for a, b in zip(real, fake, strict=True)])
    across = kernel_means(real, fake).mean()
    expected = float(poly_mmd(x, y)) + 2 * (own - across) / (len(real) - 1)
    assert kid(list(real), list(fake))[0] == pytest.approx(1000 * expected, rel=1e-4)


def test_equal_sets_are_at_zero_however_few_and_the_interval_covers_it():
    found = np.array([kid(*clips(np.random.default_rng(s), 12))[0] for s in range(200)])
    assert abs(found.mean()) < 3 * found.std() / np.sqrt(200)
    real, _ = clips(np.random.default_rng(0), 12)
    assert kid(real, real)[0] == pytest.approx(0, abs=1e-6)
    inside = [low <= 0 <= high for low, high in
              (kid(*clips(np.random.default_rng(s), 12))[1] for s in range(200))]  # fmt: skip
    assert 0.9 <= np.mean(inside) <= 1


def test_the_interval_has_the_width_of_the_spread_over_sets_made_anew():
    found, (low, high) = kid(*clips(np.random.default_rng(0), 60, 0.4))
    anew = [kid(*clips(np.random.default_rng(s), 60, 0.4))[0] for s in range(1, 61)]
    assert low < found < high
    assert (high - low) / 2 == pytest.approx(1.96 * np.std(anew, ddof=1), rel=0.4)


def test_frames_are_evenly_spaced_and_fewer_of_many_clips():
    features = np.arange(100.0)[:, None]
    assert chosen_frames(features, 820)[:, 0].tolist() == [12, 37, 62, 87]
    assert len(chosen_frames(features, 3)) == MOST_FRAMES
    assert len(chosen_frames(features[:5], 3)) == 5
    assert chosen_frames(features, 10_000)[:, 0].tolist() == [50]


def test_one_clip_has_none_and_two_have_no_interval():
    real, fake = clips(np.random.default_rng(0), 2, 1.0)
    assert kid(real, fake)[1] is None
    with pytest.raises(ValueError, match="two clips"):
        kid(real[:1], fake[:1])
