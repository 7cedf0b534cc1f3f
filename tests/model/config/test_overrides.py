"""--set: fields by name, and a sentence for what they cannot be."""

from dataclasses import replace

import pytest

from model.config.overrides import override
from model.config.presets import PRESETS, preset
from pipeline.errors import UserError


def test_fields_can_be_set_by_name():
    tiny = preset("tiny")
    changes = (
        "train.motion.noise=0",
        "train.motion.level_as_input=true",
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
            tiny.train,
            learning_rate=1e-5,
            motion=replace(tiny.train.motion, noise=0.0, level_as_input=True),
        ),
    )
    assert override(tiny, []) == tiny


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("train.motion.nois=1", r"no field 'train.motion.nois'; .* train.motion.noise"),
        ("trian.steps=1", "no field 'trian.steps'; .* unet, diffusion, train"),
        ("train.steps", "give a value as well, as in --set train.steps=VALUE"),
        ("train.steps.x=1", "no field 'train.steps.x'"),
        ("train.steps=many", "--set train.steps=many: .*integer"),
        ("train.steps=1.5", "train.steps=1.5: .*integer"),
        ("train.motion.level_as_input=1", "train.motion.level_as_input=1: .*boolean"),
        ("unet.channel_mult=3", "unet.channel_mult=3: .*array"),
        ("train.motion.blur=-1.5", "train.motion.blur=-1.5: .*greater than or equal to 0"),
        ("train.learning_rate=NaN", "train.learning_rate=nan: .*finite"),
        ("train.learning_rate=1e999", "train.learning_rate=inf: .*finite"),
        ("train.steps=0", "train.steps=0: .*greater than 0"),
        ("unet.dropout=3", "unet.dropout=3: .*less than or equal to 1"),
        ("diffusion.prediction=eps", "diffusion.prediction=eps: .*'epsilon' or 'v'"),
        ("train.mouth_box=lips", "train.mouth_box=lips: .*'target' or 'identity'"),
        ("unet.motion_channels=2", "unet.motion_channels=2: .*1 or 3"),
        ("unet.channel_mult=[]", r"unet.channel_mult=\[\]: .*at least 1"),
        ('unet.channel_mult=[1,"a"]', "unet.channel_mult.1=a: .*integer"),
        ("unet.image_size=100", "unet: image_size 100 must be a multiple of 16"),
        ("unet.base_channels=50", "unet: base_channels 50 must be a multiple of norm_groups 8"),
        ("train=3", "train=3: .*object"),
    ],
)
def test_what_cannot_be_set_is_named(change: str, message: str):
    with pytest.raises(UserError, match=message) as refused:
        override(preset("tiny"), [change])
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_may_be_as_it_is(name: str):
    given = preset(name)
    assert override(given, [f"train.steps={given.train.steps}"]) == given
