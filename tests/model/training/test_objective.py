"""The loss of a batch: its parts, its noise, and that a frame's own do not depend on company."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from scipy.stats import kstest

from model.config.presets import Preset
from model.config.recipe import MotionCorruption
from model.data.stream import Clips, Lanes, batches
from model.data.training_frame import Batch
from model.network.talking_head import Conditions, SpeechFormat, TalkingHead
from model.training.objective import Objective, SeededNoise

CPU = torch.device("cpu")


@pytest.fixture
def batch(drawn_set: Path, recipe: Callable[..., Preset]) -> Callable[..., Batch]:
    """A batch of evenly painted frames with even features."""

    def draw(rows: int, preset: Preset | None = None) -> Batch:
        preset = preset or recipe()
        lanes = Lanes(Clips.of(drawn_set), range(rows), rows, preset.unet, preset.train, seed=0)
        return next(batches(lanes, readers=0, device=CPU))

    return draw


def objective(preset: Preset, speech: SpeechFormat, precision: str = "float32") -> Objective:
    torch.manual_seed(0)
    model = TalkingHead(preset, speech)
    for parameter in model.parameters():  # no layer left at zero
        torch.nn.init.normal_(parameter, std=0.05)
    return Objective(model, preset, precision)


def test_noise_is_that_of_the_frames_seed():
    seeds = torch.tensor([3, 1 << 61, 3])
    noise = SeededNoise(seeds, CPU)
    drawn, share = noise.normal(2, 500), noise.uniform()
    assert drawn.shape == (3, 2, 500)
    assert torch.equal(drawn[0], drawn[2])
    assert not torch.equal(drawn[0], drawn[1])
    assert share[0] == share[2] != share[1]
    again = SeededNoise(seeds[1:2], CPU)
    assert torch.equal(again.normal(2, 500)[0], drawn[1])
    many = SeededNoise(torch.arange(300), CPU)
    assert kstest(many.uniform().numpy(), "uniform").pvalue > 0.01
    assert kstest(many.normal(20).flatten().numpy(), "norm").pvalue > 0.01


def test_the_total_is_the_weighted_sum(batch, recipe, speech_format):
    preset = recipe(lambda_lips=0.3)
    parts = objective(preset, speech_format)(batch(6))
    means = {name: float(value.detach().mean()) for name, value in parts.by_frame.items()}
    assert set(means) == {"simple", "vlb", "lip", "reading"}
    assert all(value.shape == (6,) for value in parts.by_frame.values())
    weights = preset.diffusion
    expected = (
        means["simple"]
        + weights.lambda_vlb * means["vlb"]
        + weights.lambda_ls * means["lip"]
        + 0.3 * means["reading"]
    )
    assert float(parts.total.detach()) == pytest.approx(expected, rel=1e-5)


def test_a_frames_loss_does_not_depend_on_the_others(batch, recipe, speech_format):
    """So that workers and parts of a batch together are the batch."""
    preset = recipe(
        lambda_lips=0.1, speech_noise=0.5, motion=MotionCorruption(noise=0.3), drop_motion=0.3
    )
    loss = objective(preset, speech_format)
    whole = batch(8, preset)
    together = loss(whole)
    apart = [loss(part) for part in whole.parts(4)]
    for name, value in together.by_frame.items():
        torch.testing.assert_close(torch.cat([part.by_frame[name] for part in apart]), value)
    assert torch.equal(torch.cat([part.t for part in apart]), together.t)


@pytest.mark.slow
def test_all_steps_of_the_diffusion_are_trained(batch, recipe, speech_format):
    t = objective(recipe(), speech_format)(batch(256)).t
    assert kstest(t.numpy() / 1000, "uniform").pvalue > 0.01


@pytest.mark.slow
def test_a_power_below_one_draws_more_of_the_noisy_steps(batch, recipe, speech_format):
    t = objective(recipe(timestep_power=0.4), speech_format)(batch(256)).t
    assert kstest((t.numpy() + 0.5) / 1000, lambda x: x ** (1 / 0.4)).pvalue > 0.01
    assert t.max() <= 999


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "motion", "speech"),
    [
        ({}, 0, 0),
        ({"motion": MotionCorruption(noise=0.2)}, 0.2, 0),
        ({"speech_noise": 0.3}, 0, 0.3),
    ],
)
def test_noise_on_the_conditions(
    batch, recipe, speech_format, monkeypatch, noise: dict, motion: float, speech: float
):
    """Pictures and features of these clips are even: what varies within one is noise."""
    seen: list[Conditions] = []
    forward = TalkingHead.forward

    def noted(self, x: torch.Tensor, t: torch.Tensor, given: Conditions) -> torch.Tensor:
        seen.append(given)
        return forward(self, x, t, given)

    monkeypatch.setattr(TalkingHead, "forward", noted)
    preset = recipe(**noise)
    given = batch(64, preset)
    objective(preset, speech_format)(given)
    assert float(seen[0].identity.std((1, 2, 3)).max()) < 0.01
    levels = seen[0].motion.unflatten(1, (2, 3)).std((2, 3, 4)).max(1).values
    if motion:  # each frame draws its own level, up to the recipe's
        torch.testing.assert_close(levels, motion * given.level, rtol=0.1, atol=0.005)
        assert kstest(given.level.numpy(), "uniform").pvalue > 0.01
    else:
        assert float(levels.max()) < 0.01
    spread = (seen[0].speech - given.speech).reshape(64, 5, 18, 13) / torch.tensor(
        speech_format.std
    )
    if speech:  # a frame's windows share half a unit
        assert float(spread.std()) == pytest.approx(speech * 1.25**0.5, rel=0.05)
        assert float(spread.mean((1, 2)).std()) == pytest.approx(speech * 0.5, rel=0.1)
    else:
        assert float(spread.abs().max()) == 0
    assert seen[0].level is None


def test_a_network_that_is_told_the_level_hears_it(batch, recipe, speech_format):
    told = recipe(motion=MotionCorruption(noise=0.3, level_as_input=True))
    loss = objective(told, speech_format)
    assert loss.model.level_embed is not None
    given = batch(4, told)
    first = loss(given).by_frame["simple"]
    # The same noise and the same spoilt frames, only another level told.
    conditions = loss._conditions(given, SeededNoise(given.seed, CPU))
    outputs = [
        loss.model(
            conditions.identity,
            torch.tensor([500] * 4),
            replace(conditions, level=torch.full((4,), level)),
        )
        for level in (0.0, 1.0)
    ]
    assert not torch.allclose(*outputs, rtol=1e-7, atol=0)
    assert torch.isfinite(first).all()
    assert objective(recipe(), speech_format).model.level_embed is None


def test_bf16_is_close_to_float32(batch, recipe, speech_format):
    given = batch(8)
    exact, rough = (
        objective(recipe(), speech_format, precision)(given) for precision in ("float32", "bf16")
    )
    assert float(rough.total) == pytest.approx(float(exact.total), rel=0.02)
    assert float(rough.total) != float(exact.total)


def test_what_reads_lips_is_trained_only_if_asked(batch, recipe, speech_format):
    for weight, trained in ((0.0, False), (0.1, True)):
        loss = objective(recipe(lambda_lips=weight), speech_format)
        loss(batch(2)).total.backward()
        assert (loss.model.lip_reader.weight.grad is not None) == trained
        idle = [
            name
            for name, parameter in loss.named_parameters()
            if parameter.requires_grad and parameter.grad is None
        ]
        assert idle == []  # data parallelism would wait for them


def test_gradients_reach_every_kind_of_layer(batch, recipe, speech_format):
    loss = objective(recipe(lambda_lips=0.1), speech_format)
    loss(batch(4)).total.backward()
    silent = [
        name
        for name, parameter in itertools.chain(loss.named_parameters())
        if float(parameter.grad.abs().max()) == 0
    ]
    assert silent == []
