"""The network against the released one's facts, and against its equations plainly written out."""

import re
from dataclasses import replace

import pytest
import torch
from torch import nn

from model.config.architecture import UNetConfig
from model.config.presets import PRESETS
from model.network.blocks import Attention, ResBlock
from model.network.unet import UNet
from pipeline.runtimes.onednn import Conv2d
from tests.model.network.small_network import SHAPE, SMALL, randomised
from tests.released_network import Network, inputs


def skeleton(config: UNetConfig) -> UNet:
    """The network without memory for its parameters."""
    with torch.device("meta"):
        return UNet(config)


def count(config: UNetConfig) -> int:
    return sum(parameter.numel() for parameter in skeleton(config).parameters())


def shapes(config: UNetConfig) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in skeleton(config).state_dict().items()}


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
    expected = {
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
    assert {name: names.get(name) for name in expected} == expected


def test_the_released_layers_lie_where_they_do():
    unet = skeleton(PRESETS["crema"].unet)
    kinds = {Conv2d: "c", ResBlock: "r", Attention: "a"}

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


def test_a_fresh_network_gives_zeros():
    torch.manual_seed(0)
    output = UNet(SMALL)(*inputs(SHAPE, 16))
    assert output.shape == (2, 6, 16, 16)
    assert not output.any()


# --- the equations, written out -------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("channels", [3, 1])
@pytest.mark.parametrize("patch", [1, 2])
def test_the_whole_network_is_what_the_paper_writes(channels: int, patch: int):
    config = replace(
        SMALL, motion_channels=channels, patch=patch, attention_resolutions=(8 // patch,)
    )
    unet = randomised(UNet(config))
    shape = replace(SHAPE, motion=2 * channels)
    x, t, identity, motion, speech = (value.double() for value in inputs(shape, 16))
    folded = [fold(frames, patch) for frames in (x, identity, motion)]
    expected = Network(shape, unet.state_dict())(folded[0], t, *folded[1:], speech)
    found = unet(x, t, identity, motion, speech)
    assert found.shape == (2, 6, 16, 16)
    assert expected.std() > 0.1
    # The angles of the steps are float32 in ours.
    assert (fold(found, patch) - expected).abs().max() < 1e-5 * expected.abs().max()


def fold(x: torch.Tensor, side: int) -> torch.Tensor:
    """Each square of side x side pixels becomes channels, row by row."""
    parts = [x[:, :, i::side, j::side] for i in range(side) for j in range(side)]
    return torch.stack(parts, 2).flatten(1, 2)


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
    output = UNet(replace(SMALL, res_blocks=1))(*inputs(SHAPE, 16))
    assert output.shape == (2, 6, 16, 16)


def test_every_parameter_is_trained():
    unet = randomised(UNet(SMALL))
    unet(*(value.double() for value in inputs(SHAPE, 16))).square().mean().backward()
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
