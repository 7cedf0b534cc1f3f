"""The parts of the network against their equations plainly written out."""

import numpy as np
import pytest
import torch

from model.network.blocks import Attention, ResBlock, modulation, time_embedding
from tests.model.network.small_network import SHAPE, SMALL, noise, randomised
from tests.released_network import Layer, Network


@pytest.mark.parametrize(("exponent", "span"), [("released", 2 * 64), ("standard", 64 / 2)])
def test_time_embedding(exponent: str, span: float):
    t = [0, 1, 17, 500, 999]
    i = np.arange(32)
    angles = np.array(t)[:, None] * 10.0 ** (-4 * i / span)
    expected = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    found = time_embedding(torch.tensor(t), 64, exponent)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-4)  # 999 rad in float32


@pytest.mark.parametrize("resample", ["none", "up", "down"])
@pytest.mark.parametrize("channels", [8, 12])
def test_residual_block(resample: str, channels: int):
    block = randomised(ResBlock(channels, 8, SMALL, resample))
    x, t, y = noise(2, channels, 6, 6), noise(2, 32, seed=2), noise(2, 32, seed=3)
    weights = {f"b.{name}": value for name, value in block.state_dict().items()}
    reference = Network(SHAPE, weights)
    reference.time, reference.speech = t, y
    kind = "residual" if resample == "none" else resample
    expected = reference.residual(x, "b", Layer(kind, channels, 8))
    found = block(x, modulation(block.t_emb_layers(t), block.audio_emb_layers(y)))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert ("b.skip_connection.weight" in weights) == (channels != 8)


def test_attention_of_several_heads():
    attention = randomised(Attention(24, SMALL))
    x = 3 * noise(2, 24, 4, 5)
    weights = {f"a.{name}": value for name, value in attention.state_dict().items()}
    expected = Network(SHAPE, weights).attend(x, "a")
    torch.testing.assert_close(attention(x), expected, rtol=1e-10, atol=1e-10)
    # The same with all q, all k, all v in a row is another function.
    mixed = weights["a.qkv.weight"].reshape(3, 3, 8, 24, 1).transpose(0, 1).reshape(72, 24, 1)
    other = Network(SHAPE, weights | {"a.qkv.weight": mixed}).attend(x, "a")
    assert (other - expected).abs().max() > 0.01
