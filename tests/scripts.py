"""TorchScript modules with the authors' interfaces and made-up insides, for tests."""

import warnings
from pathlib import Path

import torch
from torch import Tensor, nn


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


class Demo(nn.Module):
    """A network called as the demo model is, whose parameters are called as the released ones.

    What it answers is no face, but depends on everything it is given.
    """

    def __init__(self, tensors: dict[str, Tensor], *, named: bool = True) -> None:
        super().__init__()
        if named:
            for name, value in tensors.items():
                owner: nn.Module = self
                *path, last = name.split(".")
                for part in path:
                    if part not in dict(owner.named_children()):
                        owner.add_module(part, nn.Module())
                    owner = owner.get_submodule(part)
                owner.register_parameter(last, nn.Parameter(value))

    def forward(
        self, x: Tensor, t: Tensor, identity: Tensor, motion_frames: Tensor, audio_emb: Tensor
    ) -> Tensor:
        assert audio_emb.dim() == 3
        assert x.dtype == torch.float32
        level = audio_emb[:, 2].mean(1) + 0.001 * t
        noise = 0.1 * x + 0.25 * identity + 0.4 * motion_frames[:, :3]
        return torch.cat([noise + 0.01 * level[:, None, None, None], 0.1 * x], 1)


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
