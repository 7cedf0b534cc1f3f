"""Convolutions by oneDNN: what `nn.Conv2d` gives, forwards and backwards."""

import copy

import pytest
import torch
from face_alignment.models import FAN
from torch import nn

from pipeline.runtimes.onednn import Conv2d, quicken

_FORMATS = (torch.contiguous_format, torch.channels_last)
_KINDS = (
    {"kernel_size": 1},
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": 3, "stride": 2, "padding": 1, "bias": False},
    {"kernel_size": (3, 1), "dilation": 2, "groups": 2},
    {"kernel_size": 3, "padding": "same"},
    {"kernel_size": 3, "padding": 1, "padding_mode": "reflect"},
)


@pytest.mark.parametrize("memory_format", _FORMATS)
@pytest.mark.parametrize("kind", _KINDS, ids=str)
@pytest.mark.parametrize("size", [(7, 9), (40, 40)])
def test_it_is_a_convolution(memory_format: torch.memory_format, kind: dict, size: tuple[int, int]):
    torch.manual_seed(0)
    plain, ours = nn.Conv2d(6, 4, **kind), Conv2d(6, 4, **kind)
    ours.load_state_dict(plain.state_dict())
    x = torch.randn(2, 6, *size)
    found, expected = [], []
    for layer, into in ((plain, expected), (ours, found)):
        layer.to(memory_format=memory_format)
        given = x.clone(memory_format=memory_format).requires_grad_()
        y = layer(given)
        y.square().sum().backward()
        into.extend([y, given.grad, *(p.grad for p in layer.parameters())])
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_bf16_is_left_to_pytorch():
    layer = Conv2d(6, 4, 1)
    with torch.autocast("cpu", torch.bfloat16):
        assert layer(torch.randn(1, 6, 3, 5)).dtype == torch.bfloat16


def test_a_network_made_quicker_says_the_same():
    torch.manual_seed(0)
    net = FAN(1).eval().to(memory_format=torch.channels_last)
    quick = copy.deepcopy(net)
    quicken(quick)
    layers = [m for m in quick.modules() if isinstance(m, nn.Conv2d)]
    assert layers
    assert all(type(layer) is Conv2d for layer in layers)
    x = torch.rand(1, 3, 64, 64).to(memory_format=torch.channels_last)
    with torch.inference_mode():
        torch.testing.assert_close(quick(x)[-1], net(x)[-1], rtol=1e-4, atol=1e-5)
