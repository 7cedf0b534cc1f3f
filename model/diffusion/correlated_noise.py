"""The noise that frames are drawn from: each clip's own, correlated from frame to frame.

A draw of frame k is ρ times the same draw of frame k - 1 and √(1-ρ²) times fresh noise: standard
normal for itself, whatever ρ is. Frames of independent noise differ in grain, and flicker; the same
noise for all of them freezes the face. It is the progressive noise of PYoCo (Ge et al. 2023,
arXiv 2305.10474), there for all frames of a clip at once, here for one after the other.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


class CorrelatedNoise:
    """Standard normal tensors for clips that are drawn side by side, shaped like `like`.

    What a clip is given by its seed does not depend on the others. `correlation` is ρ, in [0, 1].
    """

    def __init__(self, seeds: Sequence[int], like: Tensor, correlation: float) -> None:
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        self._shape, self._device = like.shape[1:], like.device
        self._rho = correlation
        self._before: list[Tensor] = []

    def next_frame(self) -> Callable[[], Tensor]:
        """A function that gives the draws of the next frame, one after the other.

        Draw i is correlated with draw i of the frame before; all frames are to take as many.
        """
        before = self._before
        now: list[Tensor] = []
        self._before = now

        def draw() -> Tensor:
            drawn = [torch.randn(self._shape, generator=each) for each in self._generators]
            fresh = torch.stack(drawn).to(self._device)
            if not self._rho:
                return fresh
            index = len(now)
            if before:
                fresh = self._rho * before[index] + (1 - self._rho**2) ** 0.5 * fresh
            now.append(fresh)
            return fresh

        return draw
