"""Training: it learns by its recipe, and leaves what a run should."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from model.checkpoints.checkpoint import TrainingState, read_info
from model.training import loop as module
from model.training import objective as objective_module
from model.training.loop import train
from model.training.run_folder import checkpoint_path
from model.training.run_options import RunOptions
from pipeline.errors import UserError
from tests.model.runs import curves, options, weights

# --- the recipe -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_average_is_that_of_the_weights_seen(drawn_set, tmp_path, recipe, monkeypatch):
    seen: list[torch.Tensor] = []
    update = module.update

    def noted(state, *given) -> None:
        update(state, *given)
        seen.append(state.model.unet.out[2].weight.detach().clone())

    monkeypatch.setattr(module, "update", noted)
    preset = recipe(steps=5, ema_half_life=0.4)
    path = train(options(drawn_set, tmp_path / "run", preset), lambda _: None)
    expected = torch.zeros_like(seen[0])  # as this layer begins
    for step, weight in enumerate(seen, start=1):
        keep = 0.5 ** (1 / min(0.4, step / 10))
        expected = keep * expected + (1 - keep) * weight
    torch.testing.assert_close(weights(path)["unet.out.2.weight"], expected, atol=1e-7, rtol=1e-5)


@pytest.mark.slow
def test_gradients_are_clipped(drawn_set, tmp_path, recipe, monkeypatch):
    norms: list[float] = []
    adam_step = torch.optim.Adam.step

    def noted(self, *given: object) -> object:
        grads = [
            p.grad for group in self.param_groups for p in group["params"] if p.grad is not None
        ]
        norms.append(float(torch.stack([grad.norm() for grad in grads]).norm()))
        return adam_step(self, *given)

    monkeypatch.setattr(torch.optim.Adam, "step", noted)
    train(options(drawn_set, tmp_path / "free", recipe(steps=3)), lambda _: None)
    train(options(drawn_set, tmp_path / "held", recipe(steps=3, clip_norm=0.01)), lambda _: None)
    assert min(norms[:3]) > 0.02
    assert max(norms[3:]) <= 0.0101


# --- a run ----------------------------------------------------------------------------------------


def test_small_networks_train_on_one_thread(drawn_set, tmp_path, recipe, monkeypatch):
    seen: list[int] = []
    update = module.update
    monkeypatch.setattr(
        module,
        "update",
        lambda *given: seen.append(torch.get_num_threads()) or update(*given),
    )
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        train(options(drawn_set, tmp_path / "run", recipe(steps=2)), lambda _: None)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert seen == [1, 1]


@pytest.mark.slow
def test_it_learns(real_set: Path, tmp_path: Path, recipe):
    preset = recipe(steps=80, batch_size=8, learning_rate=3e-3, warmup=10)
    lines: list[str] = []
    path = train(options(real_set, tmp_path / "run", preset, log_every=5), lines.append)
    assert path == tmp_path / "run" / "checkpoint-0000080.safetensors"
    curve = curves(tmp_path / "run")
    for name in ("loss/simple", "loss/lip", "loss/total"):
        values = [curve[name][step] for step in range(5, 81, 5)]
        assert np.mean(values[-3:]) < 0.6 * np.mean(values[:3])
    assert curve["loss/total"][80] == pytest.approx(
        curve["loss/simple"][80] + 1e-4 * curve["loss/vlb"][80] + 0.2 * curve["loss/lip"][80],
        rel=1e-3,
    )
    assert lines[0].startswith("small: ")
    assert "steps 0 to 80" in lines[0]
    assert sum("images/s" in line for line in lines) == 16
    assert lines[-1].startswith("step 80/80 ")


@pytest.mark.slow
def test_a_run_leaves_its_options_checkpoints_and_strips(drawn_set, tmp_path, recipe):
    run = tmp_path / "run"
    given = options(drawn_set, run, recipe(steps=5), save_every=2, strip_every=3, seed=4)
    path = train(given, lambda _: None)
    found = sorted(entry.name for entry in run.glob("checkpoint-*"))
    assert found == [
        f"checkpoint-000000{step}.{kind}" for step in (2, 4, 5) for kind in ("json", "safetensors")
    ]
    assert path == checkpoint_path(run, 5)
    info = read_info(path)
    assert (info.step, info.seed, info.preset) == (5, 4, given.preset)
    told = json.loads((run / "options.json").read_text())
    assert (told["seed"], told["data"]) == (4, str(drawn_set))
    assert told["preset"]["unet"]["base_channels"] == 16
    strips = sorted((run / "strips").iterdir())
    assert [strip.name for strip in strips] == ["step-0000003.png", "step-0000005.png"]
    for strip in strips:
        assert cv2.imread(str(strip)).shape == (64, 3 * 32, 3)  # the test clip has five frames
    assert not [entry for entry in run.rglob("*") if ".tmp" in entry.name]


@pytest.mark.slow
def test_a_run_ends_with_a_report(drawn_set, tmp_path, recipe):
    # On a fast machine five steps take no time that the report could tell.
    ticks = itertools.count(0, 0.25).__next__
    run = tmp_path / "run"
    train(options(drawn_set, run, recipe(steps=5), log_every=5), lambda _: None, clock=ticks)
    told = json.loads((run / "report.json").read_text())
    assert (told["step"], told["steps"], told["finished"]) == (5, 5, True)
    assert told["checkpoint"] == "checkpoint-0000005.safetensors"
    assert (told["device"], told["precision"] in ("bf16", "float32")) == ("cpu", True)
    assert told["loss"]["simple"] == pytest.approx(curves(run)["loss/simple"][5], rel=1e-5)
    assert told["images_per_second"] > 0
    assert 0 <= told["waiting_for_data"] < 1
    first = told["seconds"]
    assert first > 0
    train(options(drawn_set, run, recipe(steps=8), resume=True), lambda _: None, clock=ticks)
    told = json.loads((run / "report.json").read_text())
    assert told["step"] == 8
    assert told["seconds"] > first  # of the whole run


def test_no_float64_is_asked_of_the_device(drawn_set, tmp_path, recipe, monkeypatch):
    """Apple's GPUs have none: there, as here, asking for it is an error."""

    def refuse(*_: object) -> None:
        raise TypeError("Cannot convert a MPS Tensor to float64 dtype")

    monkeypatch.setattr(torch.Tensor, "double", refuse)
    preset = recipe(steps=2, lambda_lips=0.1, speech_noise=0.1, clip_norm=1.0)
    assert train(options(drawn_set, tmp_path / "run", preset), lambda _: None).exists()


@pytest.mark.slow
def test_losses_by_quartile_of_the_timestep(drawn_set, tmp_path, recipe, monkeypatch):
    """A loss that is the timestep itself: quartile q of 0 … 999 has its mean near 250 q + 125."""
    losses = objective_module.diffusion_losses

    def timestep(network, x0, mouth, t, *given: object) -> dict[str, torch.Tensor]:
        parts = losses(network, x0, mouth, t, *given)
        return parts | {"simple": parts["simple"] * 0 + t}

    monkeypatch.setattr(objective_module, "diffusion_losses", timestep)
    train(
        options(drawn_set, tmp_path / "run", recipe(steps=4, batch_size=64), log_every=4),
        lambda _: None,
    )
    curve = curves(tmp_path / "run")
    for quartile in range(4):
        value = curve[f"loss_by_timestep/quartile_{quartile + 1}"][4]
        assert value == pytest.approx(250 * quartile + 125, abs=35)


@pytest.mark.slow
def test_only_the_last_checkpoints_stay(drawn_set, tmp_path, recipe):
    run = tmp_path / "run"
    given = options(drawn_set, run, recipe(steps=7), save_every=1, keep=2)
    train(given, lambda _: None)
    found = sorted(entry.stem for entry in run.glob("checkpoint-*.safetensors"))
    assert found == ["checkpoint-0000006", "checkpoint-0000007"]


def gradients(given: RunOptions, monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """Those of a run's first step, in float32."""
    seen: list[torch.Tensor] = []

    def noted(state: TrainingState, *_: object) -> None:
        seen.extend(p.grad.clone() for p in state.model.parameters() if p.grad is not None)
        state.step += 1

    with monkeypatch.context() as patched:
        patched.setattr(module, "update", noted)
        train(replace(given, precision="float32"), lambda _: None)
    assert sum(float(grad.abs().sum()) for grad in seen) > 0
    return seen


def test_parts_of_a_batch_have_the_gradient_of_the_whole(drawn_set, tmp_path, recipe, monkeypatch):
    whole, parts = (
        gradients(
            options(drawn_set, tmp_path / f"{count}", recipe(steps=1, accumulate=count)),
            monkeypatch,
        )
        for count in (1, 4)
    )
    torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-4)
    with pytest.raises(UserError, match=r"4 frames cannot be divided evenly .* multiple of 3"):
        train(options(drawn_set, tmp_path / "3", recipe(steps=1, accumulate=3)), lambda _: None)


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_the_memory_layout_changes_nothing_but_speed(
    drawn_set, tmp_path, recipe, monkeypatch, memory_format
):
    """The gradients, that is: Adam makes steps of the same size of their smallest roundings."""
    given = options(drawn_set, tmp_path / "a", recipe(steps=1))
    plain = gradients(given, monkeypatch)
    other = replace(given, out=tmp_path / "b", memory_format=memory_format)
    torch.testing.assert_close(gradients(other, monkeypatch), plain, atol=1e-6, rtol=1e-4)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model(drawn_set, tmp_path, recipe):
    first, again, other = (
        weights(
            train(options(drawn_set, tmp_path / name, recipe(steps=3), seed=seed), lambda _: None)
        )
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_data_set_that_is_none(tmp_path, drawn_sample, write_set, recipe):
    with pytest.raises(UserError, match="no such folder"):
        train(options(tmp_path / "none", tmp_path / "run", recipe(steps=1)), lambda _: None)
    data = write_set(tmp_path / "set", [("test", [drawn_sample("a", 4)])])
    with pytest.raises(UserError, match="no clip of split 'train', only of test; prepare with"):
        train(options(data, tmp_path / "run", recipe(steps=1)), lambda _: None)
