"""The noise schedule, and the forward process and its posterior that follow from it (eqs. 1-7)."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Spacing = Literal["uniform", "quadratic"]


@dataclass(frozen=True)
class Schedule:
    """The constants of a diffusion over K steps, a subset of the full one's or all of them."""

    # (K,) int64, the step of the full diffusion that each is, as the network is given it
    steps: Tensor
    alpha_bar: Tensor  # (K,) float64, ᾱ

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def alpha_bar_previous(self) -> Tensor:
        """ᾱ of the step before; 1 before the first."""
        return torch.cat([self.alpha_bar.new_ones(1), self.alpha_bar[:-1]])

    @property
    def beta(self) -> Tensor:
        """Variance that each step of the forward process adds."""
        return 1 - self.alpha_bar / self.alpha_bar_previous

    @property
    def posterior_variance(self) -> Tensor:
        """β̃, the variance of q(x_{t-1} | x_t, x_0)."""
        return self.beta * (1 - self.alpha_bar_previous) / (1 - self.alpha_bar)

    @property
    def log_posterior_variance(self) -> Tensor:
        """Logarithm of β̃, which is -inf at t = 0 and takes its value at t = 1 there."""
        variance = self.posterior_variance
        return torch.cat([variance[1:2], variance[1:]]).log() if len(self) > 1 else self.beta.log()

    def posterior_mean(self, x0: Tensor, x: Tensor, t: Tensor | int) -> Tensor:
        """Mean of q(x_{t-1} | x_t, x_0); `t` indexes this schedule."""
        before = self.alpha_bar_previous
        from_x0 = self.beta * before.sqrt() / (1 - self.alpha_bar)
        from_x = (1 - before) * (1 - self.beta).sqrt() / (1 - self.alpha_bar)
        return at(from_x0, t, x) * x0 + at(from_x, t, x) * x

    def add_noise(self, x0: Tensor, noise: Tensor, t: Tensor | int) -> Tensor:
        """x_t ~ q(x_t | x_0) with the given noise."""
        return (
            at(self.alpha_bar.sqrt(), t, x0) * x0 + at((1 - self.alpha_bar).sqrt(), t, x0) * noise
        )


def at(values: Tensor, t: Tensor | int, like: Tensor) -> Tensor:
    """values[t] in the type of `like`, shaped (B, 1, 1, 1) to multiply it.

    One t for the whole batch gives a scalar on the CPU, which a GPU need not wait for.
    """
    if isinstance(t, int):
        return values[t].to(like.dtype)
    return values.to(like.dtype).to(like.device)[t].reshape(-1, *[1] * (like.ndim - 1))


def cosine_schedule(steps: int = 1000) -> Schedule:
    """ᾱ(t) = cos²((t/T + 0.008) / 1.008 · π/2), with β clipped at 0.999 (Nichol and Dhariwal)."""

    def curve(t: float) -> float:
        return math.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2

    beta = [min(1 - curve((t + 1) / steps) / curve(t / steps), 0.999) for t in range(steps)]
    alpha = 1 - torch.tensor(beta, dtype=torch.float64)
    return Schedule(torch.arange(steps), alpha.cumprod(0))


def respace(schedule: Schedule, count: int, spacing: Spacing = "uniform") -> Schedule:
    """A schedule over `count` of the steps, first and last included.

    The chosen ᾱ stay what they are; β, β̃ and the posterior follow from them. `uniform` is the
    paper's; `quadratic` (Song et al. 2021, appendix D.2) is denser at low noise, where few even
    steps would leave grain.
    """
    length = len(schedule)
    if not 1 <= count <= length:
        raise ValueError(f"{count} steps asked for; choose 1 to {length}")
    if count == 1:
        chosen = torch.tensor([length - 1])
    else:
        share = torch.linspace(0, 1, count, dtype=torch.float64)
        places = (share if spacing == "uniform" else share**2) * (length - 1)
        # Quadratic steps crowd together at the low end; none is taken twice, none is lost.
        chosen = places.round().long()
        for index in range(1, count):
            chosen[index] = torch.maximum(chosen[index], chosen[index - 1] + 1)
    return Schedule(schedule.steps[chosen], schedule.alpha_bar[chosen])
