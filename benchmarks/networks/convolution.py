"""The layer that Inception and I3D are made of: a convolution, then ReLU."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline.runtimes import onednn


def convolve_relu(
    x: Tensor, weight: Tensor, bias: Tensor, stride: Sequence[int], padding: Sequence[int]
) -> Tensor:
    """ReLU of a convolution over two or three dimensions.

    Args:
        x: (N, C, …), quickest with the channels last in memory.
        weight: (C', C, …) of `x`'s type.
        bias: (C',).
        stride: by dimension.
        padding: zeros on both sides, by dimension.

    Returns:
        (N, C', …).
    """
    if onednn.takes(x):
        ones = [1] * len(stride)
        y = torch.mkldnn_convolution(x, weight, bias, list(padding), list(stride), ones, 1)
    else:
        convolve = F.conv2d if x.dim() == 4 else F.conv3d
        y = convolve(x, weight, bias, tuple(stride), tuple(padding))
    return F.relu_(y)
