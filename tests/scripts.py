"""TorchScript modules with the authors' interfaces and made-up insides, for tests."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from pathlib import Path


class RecurrentEncoder(nn.Module):
    """A speech encoder called as the authors' is: two layers of state, tanh, a linear layer."""

    def __init__(self, seed: int, width: int = 256) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.a = nn.Parameter(torch.randn(3200, 256, generator=generator) / 20)
        self.b = nn.Parameter(torch.randn(256, 256, generator=generator) / 16)
        self.c = nn.Parameter(torch.randn(256, width, generator=generator) / 16)

    def forward(
        self, x: Tensor, lengths: Tensor, init_state: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        assert x.dim() == 3
        assert x.numel() == 3200
        assert lengths.numel() == 1
        assert int(lengths[0]) == 3200
        first = torch.tanh(0.5 * init_state[0] + x[:, 0] @ self.a)
        second = torch.tanh(0.5 * init_state[1] + first @ self.b)
        return second @ self.c, lengths, torch.stack([first, second])


class PositionalEncoder(nn.Module):
    """The same with other names, and without the answer in the middle."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.inner = RecurrentEncoder(seed)

    def forward(self, window: Tensor, count: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        embedding, _, after = self.inner(window, count, state)
        return embedding, after


class OneArgument(nn.Module):
    """Something else that is TorchScript."""

    def forward(self, x: Tensor) -> Tensor:
        return x


def write_script(path: Path, module: nn.Module) -> Path:
    """Compiles a module and writes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.jit.script(module).save(str(path))
    return path
