"""The model made ready to sample, against the model as it is trained."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from model.config.presets import PRESETS, Preset
from model.config.recipe import MotionCorruption
from model.diffusion.schedule import cosine_schedule, respace
from model.network.talking_head import Conditions, TalkingHead
from model.sampling.denoiser import Denoiser, call_flops
from tests.models import untrained

SCHEDULE = respace(cosine_schedule(), 4)
FEATURES = 234


def make(preset: Preset, speech_format) -> TalkingHead:
    return untrained(preset, speech_format, seed=2, scale=0.15).requires_grad_(requires_grad=False)


def inputs(preset: Preset, batch: int = 3) -> tuple[Tensor, Conditions]:
    generator = torch.Generator().manual_seed(4)
    size = preset.unet.image_size

    def noise(*shape: int) -> Tensor:
        return torch.randn(batch, *shape, generator=generator)

    motion = noise(2 * preset.unet.motion_channels, size, size)
    speech = noise(5, FEATURES) * 3 + 5
    return noise(3, size, size), Conditions(noise(3, size, size), motion, speech)


def answer(denoiser: Denoiser, x: Tensor, index: int, conditions: Conditions) -> Tensor:
    speech = torch.stack([denoiser.encode_speech(one) for one in conditions.speech.unbind(1)], 1)
    known = denoiser.encode_identity(conditions.identity)
    return denoiser.step(x, index, denoiser.prepare_frame(known, conditions.motion, speech))


@pytest.mark.parametrize("changes", [{}, {"patch": 2}, {"motion_channels": 1}])
@pytest.mark.parametrize("index", [0, 1, 3])
def test_every_step_is_a_call_of_the_model(small: Preset, speech_format, changes, index: int):
    preset = replace(small, unet=replace(small.unet, attention_resolutions=(16,), **changes))
    model, (x, conditions) = make(preset, speech_format), inputs(preset)
    expected = model(x, SCHEDULE.steps[torch.full((3,), index)], conditions)
    found = answer(Denoiser(model, SCHEDULE), x, index, conditions)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=2e-4)
    # Each of the conditions counts.
    other = inputs(preset)[1]
    for name in ("identity", "motion", "speech"):
        changed = replace(other, **{name: getattr(other, name).flip(0)})
        assert not torch.allclose(answer(Denoiser(model, SCHEDULE), x, index, changed), found)


def test_bf16_is_near_and_leaves_the_model_as_it_is(small: Preset, speech_format):
    model, (x, conditions) = make(small, speech_format), inputs(small)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    expected = model(x, SCHEDULE.steps[torch.full((3,), 2)], conditions)
    found = answer(Denoiser(model, SCHEDULE, precision="bf16"), x, 2, conditions)
    assert found.dtype == torch.float32
    error = (found - expected).square().mean().sqrt() / expected.std()
    assert 1e-4 < float(error) < 0.05
    for name, value in model.state_dict().items():
        assert value.dtype == before[name].dtype
        assert torch.equal(value, before[name])
        assert value.stride() == before[name].stride()


@pytest.mark.slow
def test_compiled_gives_the_same(small: Preset, speech_format):
    one_level = replace(small, unet=replace(small.unet, image_size=16, channel_mult=(1,)))
    model, (x, conditions) = make(one_level, speech_format), inputs(one_level)
    found = answer(Denoiser(model, SCHEDULE, compiled=True), x, 1, conditions)
    expected = answer(Denoiser(model, SCHEDULE), x, 1, conditions)
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=2e-4)


def test_a_call_of_the_papers_network_is_a_teraflop():
    assert call_flops(PRESETS["crema"].unet) == pytest.approx(1.04e12, rel=0.01)


def test_a_network_with_a_level_is_given_that_of_sampling(small: Preset, speech_format):
    motion = MotionCorruption(level_as_input=True, sampling_level=0.7)
    preset = replace(small, train=replace(small.train, motion=motion))
    model = make(preset, speech_format)
    features = torch.randn(3, FEATURES, generator=torch.Generator().manual_seed(0))
    found = Denoiser(model, cosine_schedule()).encode_speech(features)
    torch.testing.assert_close(found, model.embed_speech(features, torch.full((3,), 0.7)))
    assert not torch.allclose(found, model.embed_speech(features, torch.zeros(3)))
    assert not torch.allclose(found, model.speech_encoder(features))
