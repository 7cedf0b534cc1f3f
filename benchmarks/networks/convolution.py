"""What Inception and I3D are made of: a convolution, then ReLU, and branches side by side."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pipeline.runtimes import onednn


class Branches(nn.Module):
    """Branches side by side, their channels one after another."""

    def __init__(self, *branches: nn.Module) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, …) to (N, C', …)."""
        return torch.cat([branch(x) for branch in self.branches], 1)


def convolve_relu(
    x: Tensor, weight: Tensor, bias: Tensor, stride: Sequence[int], padding: Sequence[int]
) -> Tensor:
    """ReLU of a convolution over two or three dimensions.

    `x`: (N, C, …), quickest with the channels last in memory; `weight`: (C', C, …) of `x`'s type;
    `bias`: (C',). Returns (N, C', …).
    """
    if onednn.takes(x):
        ones = [1] * len(stride)
        y = torch.mkldnn_convolution(x, weight, bias, list(padding), list(stride), ones, 1)
    else:
        convolve = F.conv2d if x.dim() == 4 else F.conv3d
        y = convolve(x, weight, bias, tuple(stride), tuple(padding))
    return F.relu_(y)
