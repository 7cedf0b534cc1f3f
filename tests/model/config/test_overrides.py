"""--set: fields by name, and a sentence for what they cannot be."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from model.config.overrides import override
from model.config.presets import PRESETS, preset
from pipeline.errors import UserError


def test_fields_can_be_set_by_name():
    tiny = preset("tiny")
    changes = (
        "train.motion.noise=0",
        "train.motion.told=true",
        "unet.channel_mult=[1,2]",
        "unet.image_size=32",
        "diffusion.prediction=epsilon",
        "train.learning_rate=1e-5",
    )
    changed = override(tiny, changes)
    assert changed == replace(
        tiny,
        unet=replace(tiny.unet, channel_mult=(1, 2), image_size=32),
        diffusion=replace(tiny.diffusion, prediction="epsilon"),
        train=replace(
            tiny.train, learning_rate=1e-5, motion=replace(tiny.train.motion, noise=0.0, told=True)
        ),
    )
    assert override(tiny, []) == tiny


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("train.motion.nois=1", "no field 'train.motion.nois'; there are train.motion.noise"),
        ("trian.steps=1", "no field 'trian.steps'; there are name, unet, diffusion, train"),
        ("train.steps", "give a value as well, as in --set train.steps=VALUE"),
        ("train.steps.x=1", "no field 'train.steps.x'"),
        ("train.steps=many", "'many' is not a whole number"),
        ("train.steps=1.5", "'1.5' is not a whole number"),
        ("train.motion.told=1", "'1' is not true or false"),
        ("unet.channel_mult=3", "'3' is not a list as in [1,2,4]"),
        ("train.motion.blur=-1.5", "must be 0 or more"),
        ("train.learning_rate=NaN", "must be 0 or more"),
        ("train.steps=0", "--set train.steps=0: must be 1 or more"),
        ("unet.dropout=3", "must be from 0 to 1"),
        ("diffusion.prediction=eps", "--set diffusion.prediction=eps: must be one of epsilon, v"),
        ("train.mouth_box=lips", "must be one of target, identity"),
        ("unet.motion_channels=2", "must be one of 1, 3"),
        ("unet.channel_mult=[]", "the network needs a level at least"),
        ('unet.channel_mult=[1,"a"]', "is not a list as in [1,2,4]"),
        ("unet.image_size=100", "unet.image_size 100 must be a multiple of 8: patches of 2 pixels"),
        ("unet.base_channels=50", "unet.base_channels 50 must be a multiple of unet.norm_groups 8"),
    ],
)
def test_what_cannot_be_set_is_told(change: str, told: str):
    with pytest.raises(UserError, match=re.escape(told)):
        override(preset("tiny"), [change])


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_may_be_as_it_is(name: str):
    given = preset(name)
    assert override(given, [f"train.steps={given.train.steps}"]) == given
