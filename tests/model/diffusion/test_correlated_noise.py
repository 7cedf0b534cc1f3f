"""Noise from frame to frame: standard normal, correlated as asked, each clip's own."""

import numpy as np
import pytest
import torch

from model.diffusion.correlated_noise import CorrelatedNoise

LIKE = torch.zeros(2, 3, 24, 24)


def drawn(seeds: list[int], rho: float, frames: int, draws: int = 2) -> np.ndarray:
    """(frames, draws, clips, 3, 24, 24)."""
    noise = CorrelatedNoise(seeds, LIKE[: len(seeds)], rho)
    taken = []
    for _ in range(frames):
        draw = noise.next_frame()
        taken.append([draw().numpy() for _ in range(draws)])
    return np.array(taken)


@pytest.mark.parametrize("rho", [0.0, 0.6, 0.95])
def test_draws_are_standard_normal_and_correlated_as_a_power_of_rho(rho: float):
    found = drawn([3, 4], rho, 40)
    assert found[0].std() == pytest.approx(1, abs=0.03)
    assert found.std() == pytest.approx(1, abs=0.03)
    for lag in (1, 2, 5):
        mean = (found[lag:] * found[:-lag]).mean()
        # Neighbouring frames repeat each other: a mean over them is worth fewer values.
        assert mean == pytest.approx(rho**lag, abs=0.04)
    # The draws of one frame, and the clips, have nothing in common.
    assert (found[:, 0] * found[:, 1]).mean() == pytest.approx(0, abs=0.04)
    assert (found[:, :, 0] * found[:, :, 1]).mean() == pytest.approx(0, abs=0.04)


def test_at_the_ends_it_is_fresh_noise_or_always_the_same():
    generator = torch.Generator().manual_seed(7)
    fresh = [torch.randn(3, 24, 24, generator=generator).numpy() for _ in range(6)]
    assert np.array_equal(drawn([7], 0.0, 3)[:, :, 0].reshape(6, 3, 24, 24), fresh)
    same = drawn([7], 1.0, 3)
    assert np.array_equal(same[0], same[2])
    assert np.array_equal(same[0, :, 0], fresh[:2])


def test_a_clip_has_the_same_noise_alone_or_beside_others():
    together, alone = drawn([1, 5], 0.8, 4), drawn([5], 0.8, 4)
    assert np.array_equal(together[:, :, 1], alone[:, :, 0])
    assert np.array_equal(alone, drawn([5], 0.8, 4))
    assert not np.array_equal(alone, drawn([6], 0.8, 4))
