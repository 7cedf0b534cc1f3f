"""Convolutions computed by oneDNN on a processor.

PyTorch computes float32 convolutions of single pixels, and those over small pictures, as a general
product of matrices after unfolding the picture, which is slower. Only the order of additions
differs.
"""

import torch
from torch import Tensor, nn

_AVAILABLE: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]


def takes(x: Tensor) -> bool:
    """Whether a convolution of this input is better computed by oneDNN directly."""
    return (
        _AVAILABLE
        and x.device.type == "cpu"
        and x.dtype == torch.float32
        and not torch.is_autocast_enabled("cpu")
        and not torch.compiler.is_compiling()
    )


class Conv2d(nn.Conv2d):
    """`nn.Conv2d` that calls oneDNN directly on a processor."""

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name in nn.Conv2d
        """(B, C, H, W) to (B, C', H', W')."""
        if not takes(input) or isinstance(self.padding, str) or self.padding_mode != "zeros":
            return super().forward(input)
        padding, stride, dilation = map(list, (self.padding, self.stride, self.dilation))
        return torch.mkldnn_convolution(
            input, self.weight, self.bias, padding, stride, dilation, self.groups
        )


def quicken(net: nn.Module) -> None:
    """Turns the convolutions of a network that is not ours into such ones, in place."""
    for module in net.modules():
        if type(module) is nn.Conv2d:
            module.__class__ = Conv2d
