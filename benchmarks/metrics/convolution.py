"""The layer that Inception and I3D are made of: a convolution, then ReLU.

On a processor PyTorch hands many float32 convolutions to a general product of matrices, which takes
twice as long as oneDNN's; here oneDNN gets them all. Only the order of additions differs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_ONEDNN: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


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
    if x.device.type == "cpu" and x.dtype == torch.float32 and _ONEDNN:
        ones = [1] * len(stride)
        y = torch.mkldnn_convolution(x, weight, bias, list(padding), list(stride), ones, 1)
    else:
        convolve = F.conv2d if x.dim() == 4 else F.conv3d
        y = convolve(x, weight, bias, tuple(stride), tuple(padding))
    return F.relu_(y)
