"""Convolution and ReLU against the same in double precision."""

import pytest
import torch
from torch.nn import functional as F

from benchmarks.networks.convolution import convolve_relu


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("shape", "kernel", "stride", "padding"),
    [((2, 3, 31, 29), (3, 3), (2, 2), (0, 0)), ((1, 40, 9, 9), (1, 7), (1, 1), (0, 3)),
     ((1, 48, 8, 8), (1, 1), (1, 1), (0, 0)), ((1, 16, 5, 7, 7), (3, 3, 3), (1, 1, 1), (1, 1, 1)),
     ((2, 3, 8, 20, 20), (7, 7, 7), (2, 2, 2), (3, 3, 3))],
)  # fmt: skip
def test_is_the_definition_on_every_path(shape, kernel, stride, padding, dtype):
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(shape, generator=generator).to(dtype)
    weight = torch.randn(24, shape[1], *kernel, generator=generator).to(dtype)
    bias = torch.randn(24, generator=generator).to(dtype)
    convolve = F.conv2d if len(kernel) == 2 else F.conv3d
    expected = convolve(x.double(), weight.double(), bias.double(), stride, padding).relu()
    layout = torch.channels_last if len(kernel) == 2 else torch.channels_last_3d
    for given in (x, x.contiguous(memory_format=layout)):
        found = convolve_relu(given, weight, bias, stride, padding)
        assert found.dtype == dtype
        error = (found.double() - expected).abs().max() / expected.max()
        assert error < (2e-6 if dtype == torch.float32 else 1e-2)
    assert (expected == 0).any()
