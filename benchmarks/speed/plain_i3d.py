"""I3D as PyTorch's ports of it have it: what dh-bench's is timed against and compared with.

Convolutions without bias, batch normalisation and ReLU one after another, pooling over all three
dimensions, everything in PyTorch's default layout.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def _padded(x: Tensor, kernel: Sequence[int], stride: Sequence[int]) -> Tensor:
    """With TensorFlow's SAME padding."""
    sides: list[int] = []
    for size, k, s in zip(reversed(x.shape[2:]), reversed(kernel), reversed(stride), strict=True):
        total = max(k - s if size % s == 0 else k - size % s, 0)
        sides += [total // 2, total - total // 2]
    return F.pad(x, sides)


class _Unit(nn.Module):
    def __init__(self, arrays: Mapping[str, Any], path: Sequence[str], stride: int = 1) -> None:
        super().__init__()
        weights, statistics = arrays["params"], arrays["batch_stats"]
        for part in path:
            weights, statistics = weights[part], statistics[part]
        kernel = torch.tensor(weights["Conv_0"]["kernel"]).permute(4, 3, 0, 1, 2).contiguous()
        depth, height, width = kernel.shape[2:]
        self.kernel, self.stride = (depth, height, width), (stride, stride, stride)
        self.convolution = nn.Conv3d(
            kernel.shape[1], kernel.shape[0], self.kernel, self.stride, bias=False
        )
        self.convolution.weight = nn.Parameter(kernel)
        self.normalise = nn.BatchNorm3d(kernel.shape[0], eps=1e-3)
        self.normalise.bias = nn.Parameter(torch.tensor(weights["BatchNorm_0"]["bias"]).ravel())
        for name, key in (("running_mean", "mean"), ("running_var", "var")):
            value = torch.tensor(statistics["BatchNorm_0"][key]).ravel()
            self.normalise.register_buffer(name, value)

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.normalise(self.convolution(_padded(x, self.kernel, self.stride))))


class _Pool(nn.Module):
    def __init__(self, kernel: Sequence[int], stride: Sequence[int]) -> None:
        super().__init__()
        self.kernel, self.stride = tuple(kernel), tuple(stride)

    def forward(self, x: Tensor) -> Tensor:
        return F.max_pool3d(_padded(x, self.kernel, self.stride), self.kernel, self.stride)


class _Mixed(nn.Module):
    def __init__(self, arrays: Mapping[str, Any], name: str) -> None:
        super().__init__()

        def unit(branch: int, layer: str) -> _Unit:
            return _Unit(arrays, (name, f"Branch_{branch}/Conv3d_{layer}"))

        self.first = unit(0, "0a_1x1")
        self.second = nn.Sequential(unit(1, "0a_1x1"), unit(1, "0b_3x3"))
        self.third = nn.Sequential(unit(2, "0a_1x1"), unit(2, "0b_3x3"))
        self.fourth = nn.Sequential(_Pool((3, 3, 3), (1, 1, 1)), unit(3, "0b_1x1"))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.first(x), self.second(x), self.third(x), self.fourth(x)], 1)


class PlainI3D(nn.Module):
    """Windows of frames, (N, 3, T, 224, 224) RGB in −1 … 1, to the logits of Kinetics.

    Args:
        arrays: of `benchmarks.networks.i3d.read_arrays`.
    """

    def __init__(self, arrays: Mapping[str, Any]) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            _Unit(arrays, ["Conv3d_1a_7x7"], 2),
            _Pool((1, 3, 3), (1, 2, 2)),
            _Unit(arrays, ["Conv3d_2b_1x1"]),
            _Unit(arrays, ["Conv3d_2c_3x3"]),
            _Pool((1, 3, 3), (1, 2, 2)),
            *(_Mixed(arrays, f"Mixed_3{letter}") for letter in "bc"),
            _Pool((3, 3, 3), (2, 2, 2)),
            *(_Mixed(arrays, f"Mixed_4{letter}") for letter in "bcdef"),
            _Pool((2, 2, 2), (2, 2, 2)),
            *(_Mixed(arrays, f"Mixed_5{letter}") for letter in "bc"),
        )
        logits = arrays["params"]["Logits/Conv3d_0c_1x1"]["Conv_0"]
        self.logits = nn.Linear(1024, 400)
        self.logits.weight = nn.Parameter(torch.tensor(logits["kernel"][0, 0, 0]).T)
        self.logits.bias = nn.Parameter(torch.tensor(logits["bias"]))

    def forward(self, windows: Tensor) -> Tensor:
        """(N, 400) logits."""
        pooled = F.avg_pool3d(self.layers(windows), (2, 7, 7), 1)
        return self.logits(pooled.flatten(2).transpose(1, 2)).mean(1)
