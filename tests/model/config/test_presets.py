"""Presets: the paper's numbers, and JSON that brings a preset back."""

import json
from dataclasses import asdict

import pytest

from model.config.presets import PRESETS, from_json, preset
from pipeline.errors import UserError


@pytest.mark.parametrize("name", PRESETS)
def test_json_brings_it_back(name: str):
    assert from_json(json.loads(json.dumps(asdict(PRESETS[name])))) == PRESETS[name]


def test_json_of_an_older_version_is_read():
    """Fields that were not there yet have their default; two have been renamed."""
    data = asdict(PRESETS["tiny"])
    del data["train"]["mouth_box"]
    motion = data["train"]["motion"]
    del motion["level_as_input"], motion["sampling_level"]
    found = from_json({**data, "train": {**data["train"], "motion": {**motion, "told": True}}})
    assert found.train.motion.level_as_input
    assert found.train.mouth_box == "target"
    data["train"]["motion"] = {**motion, "sampled": 0.7}
    assert from_json(data).train.motion.sampling_level == 0.7


@pytest.mark.parametrize("part", ["unet", "diffusion", "train"])
def test_json_with_a_field_that_is_not_known_is_refused(part: str):
    data = asdict(PRESETS["tiny"])
    data[part]["flavour"] = 3
    with pytest.raises(ValueError, match=rf"{part}\.flavour=3") as refused:
        from_json(data)
    assert "\n" not in str(refused.value)


def test_an_unknown_name_is_told_the_known_ones():
    with pytest.raises(UserError, match="unknown preset 'cremma'; choose one of") as told:
        preset("cremma")
    assert all(name in str(told.value) for name in PRESETS)


@pytest.mark.parametrize(("name", "motion_channels"), [("crema", 3), ("lrw", 1)])
def test_the_papers_presets_are_the_papers(name: str, motion_channels: int):
    chosen = preset(name)
    unet, recipe = chosen.unet, chosen.train
    assert (unet.image_size, unet.base_channels, unet.channel_mult) == (128, 256, (1, 2, 3))
    assert (unet.res_blocks, unet.dropout, unet.norm_groups) == (2, 0.1, 32)
    assert (unet.attention_resolutions, unet.head_channels) == ((32,), 64)
    assert (unet.motion_channels, unet.motion_frames) == (motion_channels, 2)
    assert unet.in_channels == {3: 12, 1: 8}[motion_channels]
    assert (unet.speech_context, unet.speech_window) == (2, 5)
    assert (unet.time_exponent, unet.patch) == ("released", 1)
    assert chosen.diffusion.prediction == "epsilon"
    assert (chosen.diffusion.lambda_vlb, chosen.diffusion.lambda_ls) == (1e-4, 0.2)
    assert (recipe.learning_rate, recipe.batch_size) == (5e-5, 80)
    assert (recipe.decays, recipe.decay) == (18, 0.8)
    # No averaging, no clipping, motion frames as they are.
    assert (recipe.ema_half_life, recipe.clip_norm) == (0, 0)
    assert (recipe.drop_motion, recipe.motion.any, recipe.motion.level_as_input) == (
        0,
        False,
        False,
    )
    # Theirs is the identity frame's by mistake.
    assert recipe.mouth_box == "target"


@pytest.mark.parametrize("name", PRESETS)
def test_shapes_divide(name: str):
    unet = preset(name).unet
    assert unet.image_size % (unet.patch * 2 ** (len(unet.channel_mult) - 1)) == 0
    assert unet.image_size % 2 == 0  # H.264 wants even sides
    for multiple in unet.channel_mult:
        channels = multiple * unet.base_channels
        assert channels % unet.norm_groups == 0
        assert channels % max(1, channels // unet.head_channels) == 0
