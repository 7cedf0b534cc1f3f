"""The diffusion's constants to fifty digits, from ᾱ(t) = cos²(…) alone, with mpmath."""

from functools import cache

import mpmath as mp
import numpy as np
import pytest
import torch

from model.diffusion.schedule import Schedule, respace
from tests.model.noisy_frames import FULL

SPARSE = respace(FULL, 200)  # the paper's sampling
BOTH = pytest.mark.parametrize("schedule", [FULL, SPARSE], ids=["1000 steps", "200 steps"])
mp.mp.dps = 50


@cache
def alpha_bars() -> list[mp.mpf]:
    """ᾱ of all thousand steps, β clipped at 0.999."""

    def curve(t: int) -> mp.mpf:
        return mp.cos((mp.mpf(t) / 1000 + mp.mpf("0.008")) / mp.mpf("1.008") * mp.pi / 2) ** 2

    products, product = [], mp.mpf(1)
    for t in range(1000):
        product *= 1 - min(1 - curve(t + 1) / curve(t), mp.mpf("0.999"))
        products.append(product)
    return products


class Exact:
    """Everything that follows from the ᾱ of some of the steps, for each of them."""

    def __init__(self, schedule: Schedule) -> None:
        now = [alpha_bars()[step] for step in schedule.steps.tolist()]
        before = [mp.mpf(1), *now[:-1]]
        self.alpha_bar = now
        self.beta = [1 - a / b for a, b in zip(now, before, strict=True)]
        self.variance = [
            beta * (1 - b) / (1 - a) for beta, a, b in zip(self.beta, now, before, strict=True)
        ]
        clipped = [self.variance[1], *self.variance[1:]]
        self.log_variance = [mp.log(value) for value in clipped]
        self.from_x0 = [
            mp.sqrt(b) * beta / (1 - a) for beta, a, b in zip(self.beta, now, before, strict=True)
        ]
        self.from_x = [
            mp.sqrt(1 - beta) * (1 - b) / (1 - a)
            for beta, a, b in zip(self.beta, now, before, strict=True)
        ]


@cache
def exact(name: str) -> Exact:
    return Exact({"full": FULL, "sparse": SPARSE}[name])


def exactly(schedule: Schedule) -> Exact:
    return exact("full" if schedule is FULL else "sparse")


def close(found: torch.Tensor, expected: list[mp.mpf], rtol: float, atol: float = 0) -> None:
    np.testing.assert_allclose(found.numpy(), np.array(expected, dtype=float), rtol=rtol, atol=atol)


def pixels(values: np.ndarray, count: int) -> torch.Tensor:
    """(count, 3, 1, 1) float64."""
    return torch.from_numpy(np.broadcast_to(values.reshape(-1, 1, 1, 1), (count, 3, 1, 1)).copy())
