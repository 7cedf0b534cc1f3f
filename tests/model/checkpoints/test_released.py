"""The authors' checkpoints: their numbers come out of our network, and misfits are named."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from model.checkpoints.released import config_of, load_released
from model.config.architecture import UNetConfig
from model.config.presets import PRESETS
from model.network.talking_head import Conditions
from model.network.unet import UNet
from pipeline.errors import UserError
from tests.released_files import HYPER, write_lightning
from tests.released_network import Network, Shape, inputs, shapes, weights

CPU = torch.device("cpu")
CREMA, LRW = Shape(), Shape(motion=2)
# Widths of a fourth: the same layers, attention of 1, 2 and 3 heads, 32 x 32 frames.
SMALL = Shape(base=64, attention=(1, 2))
SIZED = HYPER | {"image_size": 32}


def error(found: Tensor, expected: Tensor) -> float:
    """The largest difference against the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())


# --- the same numbers -----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("motion", [6, 2], ids=["RGB", "grey"])
def test_the_outputs_are_the_released_networks(tmp_path: Path, motion: int):
    shape = replace(SMALL, motion=motion)
    tensors = weights(shape)
    path = write_lightning(tmp_path / "small.ckpt", tensors, SIZED)
    model, preset, step = load_released(path, CPU)
    assert step == 247_500
    assert (preset.unet.motion_channels, preset.unet.motion_frames) == (motion // 2, 2)
    assert preset.unet.attention_resolutions == (16, 8)
    given = inputs(shape, 32, batch=4)
    found = model(*given[:2], Conditions(*given[2:]))
    # In float64, but for the steps' angles, whose rounding to float32 is the largest error left.
    expected = Network(shape, tensors)(*(value.double() for value in given))
    assert expected.std() > 0.3
    assert error(found, expected) < 1e-5


@pytest.mark.slow
def test_every_detail_of_the_released_network_shows_in_its_outputs():
    """What this file holds to 1e-5 could not be got wrong unseen."""
    tensors = weights(SMALL)
    given = inputs(SMALL, 32)
    expected = Network(SMALL, tensors)(*(value.double() for value in given))
    right = UNetConfig(image_size=32, base_channels=64, attention_resolutions=(16, 8))
    for wrong in (
        replace(right, time_exponent="standard"),
        replace(right, heads=4),
        replace(right, head_channels=32),
        replace(right, norm_groups=16),
    ):
        unet = UNet(wrong).eval()
        unet.load_state_dict(tensors)
        assert error(unet(*given).detach(), expected) > 1e-2, wrong


@pytest.mark.slow
def test_the_papers_text_is_an_option():
    """Attention in the middle block alone, with 4 heads whatever their width."""
    shape = replace(SMALL, attention=(), heads=4)
    tensors = weights(shape)
    unet = UNet(UNetConfig(image_size=32, base_channels=64, attention_resolutions=(), heads=4))
    unet.eval().load_state_dict(tensors)
    given = inputs(shape, 32)
    expected = Network(shape, tensors)(*(value.double() for value in given))
    assert error(unet(*given).detach(), expected) < 1e-5


@pytest.mark.slow
def test_the_outputs_of_the_full_network():
    tensors = weights(CREMA)
    assert sum(value.numel() for value in tensors.values()) == 215_748_614
    # Of frames of 32 x 32, which take the same weights and a sixteenth of the time.
    config = PRESETS["crema"].unet
    levels = tuple(size // 4 for size in config.attention_resolutions)
    with torch.device("meta"):
        unet = UNet(replace(config, image_size=32, attention_resolutions=levels))
    unet.load_state_dict(tensors, assign=True)
    given = inputs(CREMA, 32, batch=1)
    with torch.no_grad():
        found = unet.eval()(*given)
        expected = Network(CREMA, tensors)(*given)
    assert expected.std() > 0.3
    assert error(found, expected) < 1e-5


# --- names and shapes -----------------------------------------------------------------------------


@pytest.mark.parametrize(("preset", "shape"), [("crema", CREMA), ("lrw", LRW)])
def test_the_presets_are_the_released_networks(preset: str, shape: Shape):
    with torch.device("meta"):
        unet = UNet(PRESETS[preset].unet)
        tensors = {name: torch.empty(size) for name, size in shapes(shape).items()}
    ours = {name: tuple(value.shape) for name, value in unet.state_dict().items()}
    assert ours == shapes(shape)
    assert config_of(tensors, {}) == config_of(tensors, HYPER) == PRESETS[preset].unet


@pytest.mark.parametrize(
    ("motion", "hyper", "expected"),
    [
        (6, {}, (2, 3)),
        (2, {}, (2, 1)),
        (3, {}, (1, 3)),
        (6, {"n_motion_frames": 6}, (6, 1)),
        (3, {"n_motion_frames": 3}, (3, 1)),
        (9, {"n_motion_frames": 2}, (3, 3)),  # which does not fit, and is not believed
        (4, {"n_motion_frames": "two"}, (4, 1)),
    ],
)
def test_motion_frames_are_found_in_the_stem(motion: int, hyper: dict, expected: tuple[int, int]):
    with torch.device("meta"):
        tensors = {n: torch.empty(s) for n, s in shapes(Shape(motion=motion)).items()}
    config = config_of(tensors, hyper)
    assert (config.motion_frames, config.motion_channels) == expected


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        (Shape(base=32, multiples=(1,), attention=(0,)), {"attention_resolutions": (128,)}),
        (Shape(base=32, multiples=(2, 2), attention=()), {"attention_resolutions": ()}),
        (Shape(base=32, multiples=(1, 1, 1, 1), attention=(0, 3)), {"channel_mult": (1, 1, 1, 1)}),
    ],
)
def test_other_shapes(shape: Shape, expected: dict[str, Any]):
    with torch.device("meta"):
        tensors = {name: torch.empty(size) for name, size in shapes(shape).items()}
    config = config_of(tensors, {})
    assert (config.base_channels, config.channel_mult) == (shape.base, shape.multiples)
    assert {name: getattr(config, name) for name in expected} == expected
    with torch.device("meta"):
        ours = UNet(config).state_dict()
    assert {name: tuple(value.shape) for name, value in ours.items()} == shapes(shape)


def test_what_no_shape_tells_is_in_the_hyper_parameters():
    with torch.device("meta"):
        tensors = {name: torch.empty(size) for name, size in shapes(CREMA).items()}
    hyper = HYPER | {"image_size": 64, "num_head_channels": -1, "dropout": 0.3}
    config = config_of(tensors, hyper)
    assert config == replace(
        PRESETS["crema"].unet, image_size=64, attention_resolutions=(16,), heads=4, dropout=0.3
    )


# --- files ----------------------------------------------------------------------------------------

TINY = Shape(base=32, multiples=(1, 2), attention=())


def tiny() -> dict[str, Tensor]:
    return weights(TINY, seed=3)


@pytest.mark.parametrize("prefix", ["unet.", "diffusion.nn_backbone.", "nn_backbone.", ""])
def test_any_of_its_names(tmp_path: Path, prefix: str):
    state = {prefix + name: value for name, value in tiny().items()}
    others = {"diffusion.beta": torch.zeros(1000)} if prefix else {}
    torch.save({"state_dict": state | others}, tmp_path / "a.ckpt")
    model, preset, step = load_released(tmp_path / "a.ckpt", CPU)
    assert (preset.name, step) == ("released", 0)
    found = model.unet.state_dict()
    assert found.keys() == tiny().keys()
    assert all(torch.equal(found[name], value) for name, value in tiny().items())
    torch.save(state, tmp_path / "bare.pt")
    assert load_released(tmp_path / "bare.pt", CPU)[1] == preset


def test_a_file_that_only_the_inert_reader_reads(tmp_path: Path):
    hyper = argparse.Namespace(**SIZED, motion_transforms=argparse.Namespace())
    model, preset, _ = load_released(write_lightning(tmp_path / "a.ckpt", tiny(), hyper), CPU)
    assert preset.unet.image_size == 32
    found = model.unet.state_dict()
    assert all(torch.equal(found[name], value) for name, value in tiny().items())


def test_half_precision_is_made_whole_and_the_file_may_go(tmp_path: Path):
    path = tmp_path / "a.ckpt"
    write_lightning(path, {name: value.half() for name, value in tiny().items()}, SIZED)
    found = load_released(path, CPU)[0].unet.state_dict()
    path.write_bytes(bytes(path.stat().st_size))
    path.unlink()
    for name, value in tiny().items():
        assert found[name].dtype == torch.float32
        torch.testing.assert_close(found[name], value, rtol=1e-3, atol=1e-6)


def test_presets_by_name(tmp_path: Path):
    """Of a full-size file: the tensors share one number, so that it stays small."""
    state = {name: torch.zeros(()).expand(size) for name, size in shapes(LRW).items()}
    torch.save({"state_dict": state, "hyper_parameters": HYPER}, tmp_path / "lrw.ckpt")
    assert load_released(tmp_path / "lrw.ckpt", CPU)[1] == PRESETS["lrw"]


def test_the_same_file_gives_the_same_model(tmp_path: Path):
    path = write_lightning(tmp_path / "a.ckpt", tiny(), SIZED)
    one, other = (load_released(path, CPU)[0].state_dict() for _ in range(2))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


# --- what does not fit ----------------------------------------------------------------------------


def refusal(path: Path) -> str:
    with pytest.raises(UserError) as caught:
        load_released(path, CPU)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"out.2.weight": torch.zeros(3, 32, 3, 3)}, r"out.2.weight is (3, 32, 3, 3), not (6,"),
        ({"middle_block.1.qkv.bias": None}, "middle_block.1.qkv.bias is missing"),
        ({"label_emb.weight": torch.zeros(2)}, "label_emb.weight has no place in it"),
        ({"audio_embed.0.weight": torch.zeros(64, 160)}, "audio_embed.0.weight is (64, 160), not"),
        ({"audio_embed.0.weight": None}, "cannot be read off its tensors ('audio_embed.0.weight')"),
        ({"input_blocks.0.0.weight": torch.zeros(32, 6, 3, 3)}, "none for motion frames"),
        ({"input_blocks.1.0.in_layers.2.weight": torch.zeros(())}, "cannot be read off"),
    ],
)
def test_another_network_is_named_by_the_first_tensor(tmp_path: Path, change: dict, message: str):
    tensors = {name: value for name, value in (tiny() | change).items() if value is not None}
    assert message in refusal(write_lightning(tmp_path / "a.ckpt", tensors, SIZED))


def test_how_many_more_do_not_fit(tmp_path: Path):
    tensors = tiny() | {"a": torch.zeros(1), "b": torch.zeros(1), "c": torch.zeros(1)}
    message = refusal(write_lightning(tmp_path / "a.ckpt", tensors, SIZED))
    assert "a has no place in it (and 2 more like this)" in message


def test_no_network_of_the_authors(tmp_path: Path):
    torch.save({"state_dict": {"encoder.weight": torch.zeros(3)}}, tmp_path / "other.ckpt")
    assert "holds no network of the authors" in refusal(tmp_path / "other.ckpt")
    torch.save({"state_dict": [1, 2]}, tmp_path / "list.ckpt")
    assert "holds no network of the authors" in refusal(tmp_path / "list.ckpt")
    (tmp_path / "noise.ckpt").write_bytes(b"\x80\x02" + bytes(range(200)))
    assert "not a whole checkpoint" in refusal(tmp_path / "noise.ckpt")
