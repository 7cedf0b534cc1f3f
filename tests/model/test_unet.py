"""The network against the released one's facts, and against its equations plainly written out."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from torch import nn

from model.blocks import Attention, ResBlock, modulation, time_embedding
from model.presets import PRESETS
from model.unet import UNet, UNetConfig

if TYPE_CHECKING:
    from torch import Tensor

SMALL = UNetConfig(
    image_size=16,
    base_channels=8,
    channel_mult=(1, 2, 3),
    res_blocks=2,
    attention_resolutions=(8,),
    head_channels=8,
    norm_groups=4,
    dropout=0.1,
)


def skeleton(config: UNetConfig) -> UNet:
    """The network without memory for its parameters."""
    with torch.device("meta"):
        return UNet(config)


def count(config: UNetConfig) -> int:
    return sum(parameter.numel() for parameter in skeleton(config).parameters())


def shapes(config: UNetConfig) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in skeleton(config).state_dict().items()}


def randomised(module: nn.Module, seed: int = 0) -> nn.Module:
    """All parameters drawn at random, the zero ones too; float64, no dropout."""
    generator = torch.Generator().manual_seed(seed)
    module = module.double().eval()
    if isinstance(module, UNet):  # the time features are float32
        module.time_embed.fc.register_forward_pre_hook(lambda _, given: (given[0].double(),))
    with torch.no_grad():
        for parameter in module.parameters():
            scale = 1 / math.sqrt(parameter[0].numel()) if parameter.ndim > 1 else 0.5
            parameter.copy_(
                scale * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
            )
    return module


def noise(*shape: int, seed: int = 1) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# --- the released configuration -------------------------------------------------------------------


def test_crema_has_the_released_number_of_parameters():
    assert count(PRESETS["crema"].unet) == 215_748_614


def test_grey_motion_frames_change_the_stem_alone():
    rgb, grey = shapes(PRESETS["crema"].unet), shapes(PRESETS["lrw"].unet)
    assert rgb["input_blocks.0.0.weight"] == (256, 12, 3, 3)
    assert grey["input_blocks.0.0.weight"] == (256, 8, 3, 3)
    del rgb["input_blocks.0.0.weight"], grey["input_blocks.0.0.weight"]
    assert rgb == grey


def test_names_are_those_of_the_released_state_dict_and_no_others():
    residual = r"(in_layers\.[02]|(t|audio)_emb_layers\.1|out_layers\.[03]|skip_connection)"
    attention = r"(norm|qkv|proj_out)"
    pattern = re.compile(
        r"((time_embed\.fc|audio_embed|out)\.[02]|input_blocks\.0\.0"
        rf"|(input_blocks|output_blocks)\.\d\.\d\.({residual}|{attention})"
        rf"|middle_block\.[02]\.{residual}|middle_block\.1\.{attention})\.(weight|bias)"
    )
    names = shapes(PRESETS["crema"].unet)
    assert [name for name in names if not pattern.fullmatch(name)] == []
    wanted = {
        "time_embed.fc.0.weight": (1024, 256),
        "time_embed.fc.2.weight": (1024, 1024),
        "audio_embed.0.weight": (1024, 5 * 256),
        "audio_embed.2.weight": (1024, 1024),
        "input_blocks.1.0.t_emb_layers.1.weight": (2 * 256, 1024),
        "input_blocks.4.0.audio_emb_layers.1.weight": (2 * 512, 1024),
        "input_blocks.4.0.skip_connection.weight": (512, 256, 1, 1),
        "middle_block.1.qkv.weight": (3 * 768, 768, 1),
        "middle_block.1.proj_out.weight": (768, 768, 1),
        "output_blocks.0.0.in_layers.2.weight": (768, 768 + 768, 3, 3),
        "output_blocks.2.0.in_layers.2.weight": (768, 768 + 512, 3, 3),
        "output_blocks.5.0.in_layers.2.weight": (512, 512 + 256, 3, 3),
        "output_blocks.8.0.in_layers.2.weight": (256, 256 + 256, 3, 3),
        "out.0.weight": (256,),
        "out.2.weight": (6, 256, 3, 3),
    }
    assert {name: names.get(name) for name in wanted} == wanted


def test_the_released_layers_lie_where_they_do():
    unet = skeleton(PRESETS["crema"].unet)
    kinds = {nn.Conv2d: "c", ResBlock: "r", Attention: "a"}

    def layout(blocks: nn.ModuleList) -> list[str]:
        return ["".join(kinds[type(layer)] for layer in block) for block in blocks]

    # Attention at 32 x 32, the third level, and in the middle; nowhere else.
    assert layout(unet.input_blocks) == ["c", "r", "r", "r", "r", "r", "r", "ra", "ra"]
    assert layout([unet.middle_block]) == ["rar"]
    assert layout(unet.output_blocks) == ["ra", "ra", "rar", "r", "r", "rr", "r", "r", "r"]
    dropouts = [module.p for module in unet.modules() if isinstance(module, nn.Dropout)]
    residuals = [module for module in unet.modules() if isinstance(module, ResBlock)]
    assert dropouts == [0.1] * len(residuals)
    groups = {module.num_groups for module in unet.modules() if isinstance(module, nn.GroupNorm)}
    assert groups == {32}


def test_the_papers_text_has_attention_in_the_middle_alone():
    names = shapes(replace(PRESETS["crema"].unet, attention_resolutions=()))
    assert [name for name in names if name.endswith("qkv.weight")] == ["middle_block.1.qkv.weight"]


def test_a_fresh_network_says_nothing():
    torch.manual_seed(0)
    output = UNet(SMALL)(*(value.float() for value in inputs(SMALL)))
    assert output.shape == (2, 6, 16, 16)
    assert not output.any()


# --- the equations, written out -------------------------------------------------------------------


@pytest.mark.parametrize(("exponent", "span"), [("released", 2 * 64), ("standard", 64 / 2)])
def test_time_embedding(exponent: str, span: float):
    t = [0, 1, 17, 500, 999]
    i = np.arange(32)
    angles = np.array(t)[:, None] * 10.0 ** (-4 * i / span)
    expected = np.concatenate([np.cos(angles), np.sin(angles)], axis=1)
    found = time_embedding(torch.tensor(t), 64, exponent)
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-4)  # 999 rad in float32


def group_norm(x: Tensor, groups: int, weight: Tensor, bias: Tensor) -> Tensor:
    parts = x.reshape(len(x), groups, -1)
    mean = parts.mean(2, keepdim=True)
    variance = ((parts - mean) ** 2).mean(2, keepdim=True)
    whole = ((parts - mean) / (variance + 1e-5).sqrt()).reshape(x.shape)
    spread = (1, -1, *[1] * (x.ndim - 2))
    return whole * weight.reshape(spread) + bias.reshape(spread)


def silu(x: Tensor) -> Tensor:
    return x / (1 + torch.exp(-x))


def convolution(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """A convolution as a sum of shifted products."""
    side = weight.shape[-1]
    padded = torch.nn.functional.pad(x, [side // 2] * 4)
    height, width = x.shape[-2:]
    return bias.reshape(1, -1, 1, 1) + sum(
        torch.einsum(
            "bchw,oc->bohw", padded[..., i : i + height, j : j + width], weight[:, :, i, j]
        )
        for i in range(side)
        for j in range(side)
    )


class Reference:
    """The released network as one would write it from the paper, on a plain state dict."""

    def __init__(self, weights: dict[str, Tensor], groups: int, head: int) -> None:
        self.weights, self.groups, self.head = weights, groups, head

    def two(self, name: str) -> tuple[Tensor, Tensor]:
        return self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]

    def linear(self, x: Tensor, name: str) -> Tensor:
        weight, bias = self.two(name)
        return x @ weight.T + bias

    def residual(self, x: Tensor, name: str, t: Tensor, y: Tensor, resample: str) -> Tensor:
        def resampled(image: Tensor) -> Tensor:
            if resample == "up":
                return image.repeat_interleave(2, 2).repeat_interleave(2, 3)
            if resample == "down":
                corners = [image[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
                return sum(corners) / 4
            return image

        h = silu(group_norm(x, self.groups, *self.two(f"{name}.in_layers.0")))
        h = convolution(resampled(h), *self.two(f"{name}.in_layers.2"))
        t_s, t_b = self.linear(silu(t), f"{name}.t_emb_layers.1")[..., None, None].chunk(2, 1)
        y_s, y_b = self.linear(silu(y), f"{name}.audio_emb_layers.1")[..., None, None].chunk(2, 1)
        h = group_norm(h, self.groups, *self.two(f"{name}.out_layers.0"))
        h = (1 + y_s) * ((1 + t_s) * h + t_b) + y_b  # eq. 17
        h = convolution(silu(h), *self.two(f"{name}.out_layers.3"))
        skip = resampled(x)
        if f"{name}.skip_connection.weight" in self.weights:
            skip = convolution(skip, *self.two(f"{name}.skip_connection"))
        return skip + h

    def attention(self, x: Tensor, name: str) -> Tensor:
        flat = x.flatten(2)
        weight, bias = self.two(f"{name}.qkv")
        qkv = weight[:, :, 0] @ group_norm(flat, self.groups, *self.two(f"{name}.norm"))
        qkv = qkv + bias[:, None]
        heads = []
        for part in qkv.split(3 * self.head, dim=1):  # each head's q, k, v lie together
            q, k, v = part.split(self.head, dim=1)
            weights = torch.softmax(q.transpose(1, 2) @ k / math.sqrt(self.head), dim=2)
            heads.append((weights @ v.transpose(1, 2)).transpose(1, 2))
        weight, bias = self.two(f"{name}.proj_out")
        return (flat + weight[:, :, 0] @ torch.cat(heads, 1) + bias[:, None]).reshape(x.shape)

    def block(self, x: Tensor, name: str, t: Tensor, y: Tensor, resample: dict[str, str]) -> Tensor:
        for index in range(3):
            layer = f"{name}.{index}"
            if f"{layer}.qkv.weight" in self.weights:
                x = self.attention(x, layer)
            elif f"{layer}.in_layers.0.weight" in self.weights:
                x = self.residual(x, layer, t, y, resample.get(layer, ""))
            elif f"{layer}.weight" in self.weights:
                x = convolution(x, *self.two(layer))
        return x

    def __call__(
        self, x: Tensor, t: Tensor, y: Tensor, blocks: int, resample: dict[str, str]
    ) -> Tensor:
        t = self.linear(silu(self.linear(t, "time_embed.fc.0")), "time_embed.fc.2")
        y = self.linear(silu(self.linear(y, "audio_embed.0")), "audio_embed.2")
        kept = []
        for index in range(blocks):
            x = self.block(x, f"input_blocks.{index}", t, y, resample)
            kept.append(x)
        x = self.block(x, "middle_block", t, y, resample)
        for index in range(blocks):
            x = torch.cat([x, kept.pop()], 1)
            x = self.block(x, f"output_blocks.{index}", t, y, resample)
        x = silu(group_norm(x, self.groups, *self.two("out.0")))
        return convolution(x, *self.two("out.2"))


def inputs(config: UNetConfig) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """x, t, identity, motion, speech."""
    size = config.image_size
    motion = config.motion_frames * config.motion_channels
    speech = noise(2, config.speech_window, config.base_channels, seed=4)
    frames = (noise(2, channels, size, size, seed=channels) for channels in (3, motion, 3))
    x, before, identity = frames
    return x, torch.tensor([3, 40]), identity + 1, before, speech


def fold(x: Tensor, side: int) -> Tensor:
    """Each square of side x side pixels becomes channels, row by row."""
    parts = [x[:, :, i::side, j::side] for i in range(side) for j in range(side)]
    return torch.stack(parts, 2).flatten(1, 2)


@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("patch", [1, 2])
def test_the_whole_network_is_what_the_paper_writes(channels: int, patch: int):
    config = replace(
        SMALL, motion_channels=channels, patch=patch, attention_resolutions=(8 // patch,)
    )
    unet = randomised(UNet(config))
    x, t, identity, motion, speech = inputs(config)
    reference = Reference(unet.state_dict(), groups=4, head=8)
    resample = {
        "input_blocks.3.0": "down",
        "input_blocks.6.0": "down",
        "output_blocks.2.1": "up",
        "output_blocks.5.2": "up",  # after the attention of its level, 8 x 8
    }
    expected = reference(
        fold(torch.cat([x, motion, identity], 1), patch),
        time_embedding(t, 8, "released").double(),
        speech.reshape(2, -1),
        blocks=9,
        resample=resample,
    )
    found = unet(x, t, identity, motion, speech)
    assert found.shape == (2, 6, 16, 16)
    assert expected.std() > 0.1
    torch.testing.assert_close(fold(found, patch), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("resample", ["none", "up", "down"])
@pytest.mark.parametrize("channels", [8, 12])
def test_residual_block(resample: str, channels: int):
    block = randomised(ResBlock(channels, 8, SMALL, resample))
    x, t, y = noise(2, channels, 6, 6), noise(2, 32, seed=2), noise(2, 32, seed=3)
    weights = {f"b.{name}": value for name, value in block.state_dict().items()}
    expected = Reference(weights, groups=4, head=8).residual(x, "b", t, y, resample)
    found = block(x, modulation(block.t_emb_layers(t), block.audio_emb_layers(y)))
    torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-10)
    assert ("b.skip_connection.weight" in weights) == (channels != 8)


def test_attention_of_several_heads():
    attention = randomised(Attention(24, SMALL))
    x = 3 * noise(2, 24, 4, 5)
    weights = {f"a.{name}": value for name, value in attention.state_dict().items()}
    expected = Reference(weights, groups=4, head=8).attention(x, "a")
    torch.testing.assert_close(attention(x), expected, rtol=1e-10, atol=1e-10)
    # The same with all q, all k, all v in a row is another function.
    mixed = weights["a.qkv.weight"].reshape(3, 3, 8, 24, 1).transpose(0, 1).reshape(72, 24, 1)
    other = Reference(weights | {"a.qkv.weight": mixed}, groups=4, head=8).attention(x, "a")
    assert (other - expected).abs().max() > 0.01


def test_heads_are_64_channels_wide_in_the_released_network():
    unet = skeleton(PRESETS["crema"].unet)
    assert unet.middle_block[1]._heads == 768 // 64


# --- options --------------------------------------------------------------------------------------


def test_patches_change_the_stem_and_the_last_layer_alone():
    whole, folded = shapes(SMALL), shapes(replace(SMALL, patch=2, attention_resolutions=(4,)))
    changed = {name for name in whole if whole[name] != folded[name]}
    assert changed == {"input_blocks.0.0.weight", "out.2.weight", "out.2.bias"}
    assert folded["input_blocks.0.0.weight"] == (8, 4 * 12, 3, 3)
    assert folded["out.2.weight"] == (4 * 6, 8, 3, 3)
    more = 8 * 9 * (48 - 12) + (24 - 6) * (8 * 9 + 1)
    assert count(replace(SMALL, patch=2, attention_resolutions=(4,))) - count(SMALL) == more


def test_one_residual_block_a_level():
    names = shapes(replace(SMALL, res_blocks=1))
    blocks = {name.split(".")[1] for name in names if name.startswith("output_blocks")}
    assert len(blocks) == 3 * 2
    output = UNet(replace(SMALL, res_blocks=1))(*(value.float() for value in inputs(SMALL)))
    assert output.shape == (2, 6, 16, 16)


def test_every_parameter_is_trained():
    unet = randomised(UNet(SMALL))
    unet(*inputs(SMALL)).square().mean().backward()
    without = [name for name, p in unet.named_parameters() if p.grad is None or not p.grad.any()]
    assert without == []


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_a_network(name: str):
    config = PRESETS[name].unet
    size = config.image_size
    motion = config.motion_frames * config.motion_channels
    with torch.device("meta"):
        output = UNet(config)(
            torch.empty(1, 3, size, size),
            torch.zeros(1, dtype=torch.long),
            torch.empty(1, 3, size, size),
            torch.empty(1, motion, size, size),
            torch.empty(1, config.speech_window, config.base_channels),
        )
    assert output.shape == (1, 6, size, size)
