"""What the sampler `auto` stands for, and the steps that are taken."""

from dataclasses import replace

import numpy as np
import pytest

from model.config.architecture import DiffusionConfig
from model.config.presets import Preset
from model.network.talking_head import TalkingHead
from model.sampling.sample_config import SampleConfig, choose_sampler, sampling_schedule
from tests.model.recorder import draw


@pytest.mark.parametrize(
    ("config", "steps"),
    [
        (SampleConfig("ancestral", 4), [999, 666, 333, 0]),  # the paper's
        (SampleConfig("ddim", 4), [999, 444, 111, 0]),
        (SampleConfig("dpm", 4), [999, 444, 111, 0]),
        (SampleConfig("dpm", 4, spacing="uniform"), [999, 666, 333, 0]),
        (SampleConfig("ancestral", 4, spacing="quadratic"), [999, 444, 111, 0]),
        (SampleConfig("ancestral", 4, start="previous", start_step=400), [399, 266, 133, 0]),
    ],
)
def test_the_steps_that_are_walked(config: SampleConfig, steps: list[int]):
    assert sampling_schedule(DiffusionConfig(), config).steps.tolist() == steps[::-1]


@pytest.mark.parametrize(
    ("prediction", "config", "chosen"),
    [
        ("v", SampleConfig(), ("dpm", 6, "noise", 0, 0.8)),
        ("v", SampleConfig(steps=9), ("dpm", 9, "noise", 0, 0.8)),
        ("v", SampleConfig("ddim"), ("ddim", 10, "noise", 0, 0.8)),
        ("v", SampleConfig("ddim", noise_correlation=0), ("ddim", 10, "noise", 0, 0)),
        ("v", SampleConfig("sde"), ("sde", 10, "noise", 0, 0)),
        ("v", SampleConfig("ancestral"), ("ancestral", 200, "noise", 0, 0)),
        ("v", SampleConfig(start="previous"), ("dpm", 6, "previous", 600, 0)),
        ("prior", SampleConfig(), ("ddim", 2, "noise", 0, 0.8)),
        ("prior", SampleConfig(steps=1), ("ddim", 1, "noise", 0, 0.8)),
        ("prior", SampleConfig("dpm"), ("dpm", 6, "noise", 0, 0.8)),
        ("epsilon", SampleConfig(), ("sde", 10, "previous", 800, 0)),
        ("epsilon", SampleConfig(steps=4), ("sde", 4, "previous", 800, 0)),
        ("epsilon", SampleConfig("dpm"), ("dpm", 6, "previous", 600, 0)),
        ("epsilon", SampleConfig("dpm", start="noise"), ("dpm", 6, "noise", 0, 0.8)),
        ("epsilon", SampleConfig("ancestral"), ("ancestral", 200, "noise", 0, 0)),
        ("epsilon", SampleConfig("sde", start_step=700), ("sde", 10, "previous", 700, 0)),
    ],
)
def test_what_auto_is(prediction, config: SampleConfig, chosen: tuple[str, int, str, int, float]):
    scale = 0.2 if prediction == "prior" else 0.0
    diffusion = DiffusionConfig(prediction="v" if scale else prediction, identity_prior=scale)
    found = choose_sampler(config, diffusion)
    names = ("sampler", "steps", "start", "start_step", "noise_correlation")
    assert tuple(getattr(found, name) for name in names) == chosen
    assert choose_sampler(found, diffusion) == found
    assert replace(found, **{name: getattr(config, name) for name in names}) == config
    sampling_schedule(diffusion, found)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("prediction", "same"),
    [("v", SampleConfig("dpm", 6)), ("epsilon", SampleConfig("sde", 10, start="previous"))],
)
def test_auto_draws_what_it_stands_for(small: Preset, model: TalkingHead, prediction, same):
    preset = replace(small, diffusion=replace(small.diffusion, prediction=prediction))
    found = draw(model, preset, [3], SampleConfig())
    assert np.array_equal(found, draw(model, preset, [3], same))
