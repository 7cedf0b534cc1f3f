"""The recipe: rates and averages step by step."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import pytest

from model.config.recipe import TrainConfig, ema_decay, learning_rate

if TYPE_CHECKING:
    from model.config.presets import Preset


def test_learning_rate(recipe: Callable[..., Preset]):
    def rate(step: int, recipe: TrainConfig) -> float:
        return learning_rate(step, step / recipe.steps, recipe)

    constant = recipe(learning_rate=0.01, steps=10**6).train
    assert {rate(step, constant) for step in (0, 10, 10**6)} == {0.01}
    warm = recipe(learning_rate=0.01, warmup=10).train
    rates = [rate(step, warm) for step in range(12)]
    assert rates == pytest.approx([0.01 * min(1, (step + 1) / 10) for step in range(12)])
    # The paper's: x 0.8 at the end of each eighteenth of the run, however long that is.
    for steps in (1800, 18_000, 18 * 49):
        falling = recipe(learning_rate=0.01, decays=18, decay=0.8, steps=steps).train
        for step in (0, steps // 18 - 1, steps // 18, steps // 9 - 1, steps // 9, steps - 1):
            stage = step // (steps // 18)
            assert rate(step, falling) == pytest.approx(0.01 * 0.8**stage)
    cooled = recipe(learning_rate=0.01, cooldown=0.25, steps=100).train
    rates = [rate(step, cooled) for step in (0, 75, 80, 90, 99)]
    assert rates == pytest.approx([0.01, 0.01, 0.008, 0.004, 0.0004])


def test_average_has_the_half_life_it_says(recipe: Callable[..., Preset]):
    averaged = recipe(ema_half_life=50).train
    late = [ema_decay(step, averaged) for step in range(1000, 1050)]
    assert np.prod(late) == pytest.approx(0.5)
    # At first it is a tenth of the steps so far: the weights of the beginning are soon forgotten.
    assert ema_decay(100, averaged) == pytest.approx(0.5 ** (1 / 10))
    assert ema_decay(1, averaged) == pytest.approx(0.5**10)
    early = [ema_decay(step, averaged) for step in range(1, 600)]
    assert early == sorted(early)
    assert ema_decay(5, recipe(ema_half_life=0).train) == 0
