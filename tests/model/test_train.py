"""Training: it learns, stops when told, carries on where it was, and says what is wrong."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model import objective as objective_module
from model import train as module
from model.checkpoint import load_model, read_info
from model.recipe import MotionCorruption
from model.run import RunOptions, checkpoint_path
from model.train import train
from pipeline.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from model.diffusion import Losses
    from model.presets import Preset


def options(data: Path, out: Path, preset: Preset, **changes: object) -> RunOptions:
    given = RunOptions(
        data, out, preset, device="cpu", loaders=0, log_every=1, save_every=1000, strip_every=0
    )
    return replace(given, **changes)


def curves(run: Path) -> dict[str, dict[int, float]]:
    """Every TensorBoard curve of a run, {name: {step: value}}."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return {
        name: {event.step: event.value for event in events.Scalars(name)}
        for name in events.Tags()["scalars"]
    }


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_model(path, torch.device("cpu"))[0].state_dict()


# --- the recipe -----------------------------------------------------------------------------------


def test_average_is_that_of_the_weights_seen(drawn_set, tmp_path, recipe, monkeypatch):
    seen: list[torch.Tensor] = []
    update = module._update

    def noted(state, given) -> None:
        update(state, given)
        seen.append(state.model.unet.out[2].weight.detach().clone())

    monkeypatch.setattr(module, "_update", noted)
    preset = recipe(steps=5, ema_half_life=0.4)
    path = train(options(drawn_set, tmp_path / "run", preset), lambda _: None)
    expected = torch.zeros_like(seen[0])  # as this layer begins
    for step, weight in enumerate(seen, start=1):
        keep = 0.5 ** (1 / min(0.4, step / 10))
        expected = keep * expected + (1 - keep) * weight
    torch.testing.assert_close(weights(path)["unet.out.2.weight"], expected, atol=1e-7, rtol=1e-5)


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
    update = module._update
    monkeypatch.setattr(
        module,
        "_update",
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


def test_a_run_ends_with_a_report(drawn_set, tmp_path, recipe):
    run = tmp_path / "run"
    train(options(drawn_set, run, recipe(steps=5), log_every=5), lambda _: None)
    told = json.loads((run / "report.json").read_text())
    assert (told["step"], told["steps"], told["finished"]) == (5, 5, True)
    assert told["checkpoint"] == "checkpoint-0000005.safetensors"
    assert (told["device"], told["precision"] in ("bf16", "float32")) == ("cpu", True)
    assert told["loss"]["simple"] == pytest.approx(curves(run)["loss/simple"][5], rel=1e-5)
    assert told["images_per_second"] > 0
    assert 0 <= told["waiting_for_data"] < 1
    first = told["seconds"]
    assert first > 0
    train(options(drawn_set, run, recipe(steps=8), resume=True), lambda _: None)
    told = json.loads((run / "report.json").read_text())
    assert told["step"] == 8
    assert told["seconds"] > first  # of the whole run


def test_losses_by_quartile_of_the_timestep(drawn_set, tmp_path, recipe, monkeypatch):
    """A loss that is the timestep itself: quartile q of 0 … 999 has its mean near 250 q + 125."""
    losses = objective_module.losses

    def timestep(network, x0, mouth, t, *given: object) -> Losses:
        parts = losses(network, x0, mouth, t, *given)
        return replace(parts, simple=parts.simple * 0 + t)

    monkeypatch.setattr(objective_module, "losses", timestep)
    train(
        options(drawn_set, tmp_path / "run", recipe(steps=4, batch_size=64), log_every=4),
        lambda _: None,
    )
    curve = curves(tmp_path / "run")
    for quartile in range(4):
        value = curve[f"loss_by_timestep/quartile_{quartile + 1}"][4]
        assert value == pytest.approx(250 * quartile + 125, abs=35)


def test_only_the_last_checkpoints_stay(drawn_set, tmp_path, recipe):
    run = tmp_path / "run"
    given = options(drawn_set, run, recipe(steps=7), save_every=1, keep=2)
    train(given, lambda _: None)
    found = sorted(entry.stem for entry in run.glob("checkpoint-*.safetensors"))
    assert found == ["checkpoint-0000006", "checkpoint-0000007"]


def test_parts_of_a_batch_have_the_gradient_of_the_whole(drawn_set, tmp_path, recipe, monkeypatch):
    seen: list[list[torch.Tensor]] = []
    monkeypatch.setattr(
        module,
        "_update",
        lambda state, _: (
            seen.append([p.grad for p in state.model.parameters() if p.grad is not None])
            or setattr(state, "step", state.step + 1)
        ),
    )
    for count in (1, 4):
        preset = recipe(steps=1, accumulate=count)
        given = options(drawn_set, tmp_path / f"{count}", preset, precision="float32")
        train(given, lambda _: None)
    assert sum(float(grad.abs().sum()) for grad in seen[0]) > 0
    for whole, parts in zip(*seen, strict=True):
        torch.testing.assert_close(parts, whole, atol=1e-6, rtol=1e-4)
    with pytest.raises(UserError, match=r"4 frames cannot be divided evenly .* multiple of 3"):
        train(options(drawn_set, tmp_path / "3", recipe(steps=1, accumulate=3)), lambda _: None)


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_the_memory_layout_changes_nothing_but_speed(drawn_set, tmp_path, recipe, memory_format):
    given = options(drawn_set, tmp_path / "a", recipe(steps=2), precision="float32")
    plain = weights(train(given, lambda _: None))
    other = replace(given, out=tmp_path / "b", memory_format=memory_format)
    for name, value in weights(train(other, lambda _: None)).items():
        torch.testing.assert_close(value, plain[name], atol=1e-4, rtol=1e-3)


def test_the_same_seed_gives_the_same_model(drawn_set, tmp_path, recipe):
    first, again, other = (
        weights(
            train(options(drawn_set, tmp_path / name, recipe(steps=3), seed=seed), lambda _: None)
        )
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


# --- stopping and carrying on ---------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops_and_resume_carries_on(drawn_set, tmp_path, recipe, number):
    run, before = tmp_path / "run", signal.getsignal(number)

    def interrupted(line: str) -> None:
        if line.startswith("step 3/"):
            os.kill(os.getpid(), number)

    path = train(options(drawn_set, run, recipe(steps=8)), interrupted)
    assert path == checkpoint_path(run, 3)
    assert signal.getsignal(number) is before

    lines: list[str] = []
    resumed = train(options(drawn_set, run, recipe(steps=8), resume=True), lines.append)
    assert resumed == checkpoint_path(run, 8)
    assert "steps 3 to 8" in lines[0]
    assert [line.split()[1] for line in lines[1:]] == [f"{step}/8" for step in range(4, 9)]
    assert read_info(resumed).step == 8


@pytest.mark.slow
@pytest.mark.parametrize("loaders", [0, 2])
def test_an_interrupted_run_ends_in_the_same_bits(drawn_set, tmp_path, small, loaders: int):
    """Weights, moments, average, noise, dropout and the order of the data."""
    noisy = replace(
        small,
        unet=replace(small.unet, dropout=0.1),
        train=replace(
            small.train,
            steps=9,
            warmup=3,
            cooldown=0.5,
            drop_motion=0.3,
            motion=MotionCorruption(noise=0.3, colour=0.1, compression=0.5),
            speech_noise=0.5,
            lambda_lips=0.1,
            frames_per_clip=2,
        ),
    )
    whole = options(drawn_set, tmp_path / "whole", noisy, loaders=loaders, seed=3)
    expected = load_file(train(whole, lambda _: None))
    curve = curves(whole.out)["loss/total"]

    def interrupted(line: str) -> None:
        if line.startswith(("step 2/", "step 5/")):
            os.kill(os.getpid(), signal.SIGTERM)

    broken = replace(whole, out=tmp_path / "broken")
    assert train(broken, interrupted) == checkpoint_path(broken.out, 2)
    again = replace(broken, resume=True, seed=0)  # the seed is the run's
    assert train(again, interrupted) == checkpoint_path(broken.out, 5)
    found = load_file(train(again, lambda _: None))
    assert found.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []
    assert curves(broken.out)["loss/total"] == curve


def test_a_resumed_run_begins_with_the_weights_it_ended_with(
    drawn_set, tmp_path, recipe, monkeypatch
):
    run = tmp_path / "run"
    path = train(options(drawn_set, run, recipe(steps=2)), lambda _: None)
    begun: list[dict] = []
    monkeypatch.setattr(
        module,
        "_update",
        lambda state, *_: (
            begun.append({n: v.clone() for n, v in state.average.state_dict().items()})
            or setattr(state, "step", state.step + 1)
        ),
    )
    train(options(drawn_set, run, recipe(steps=3), resume=True), lambda _: None)
    saved = weights(path)
    assert all(torch.equal(begun[0][name], saved[name]) for name in saved)


def test_a_finished_run_is_finished(drawn_set, tmp_path, recipe):
    run = tmp_path / "run"
    path = train(options(drawn_set, run, recipe(steps=2)), lambda _: None)
    before = {entry: entry.stat().st_mtime_ns for entry in run.glob("checkpoint*")}
    assert train(options(drawn_set, run, recipe(steps=2), resume=True), lambda _: None) == path
    assert {entry: entry.stat().st_mtime_ns for entry in run.glob("checkpoint*")} == before


@pytest.mark.slow
def test_ctrl_c_at_a_terminal_reaches_the_readers_too(drawn_set: Path, tmp_path: Path):
    """The whole process group is told; the loop still ends as it should."""
    run = tmp_path / "run"
    words = ["--data", drawn_set, "--out", run, "--batch-size", 1, "--steps", 100_000]
    words += ["--loaders", 2, "--log-every", 1, "--strip-every", 0, "--device", "cpu"]
    with subprocess.Popen(
        [sys.executable, "-c", "from model.cli import train_main; train_main()", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    ) as process:
        try:
            said = []
            for line in process.stdout:
                said.append(line)
                if line.startswith("step 6/"):
                    os.killpg(process.pid, signal.SIGINT)
            assert process.wait(60) == 0, "".join(said)
        finally:
            process.kill()
    assert "Traceback" not in "".join(said)
    assert said[-1].startswith(f"saved {run}")
    assert read_info(next(run.glob("checkpoint-*.safetensors"))).step >= 6


# --- what is wrong --------------------------------------------------------------------------------


def test_an_occupied_folder_is_not_written_over(drawn_set, tmp_path, recipe):
    run = tmp_path / "run"
    train(options(drawn_set, run, recipe(steps=1)), lambda _: None)
    before = {entry: entry.read_bytes() for entry in run.rglob("*") if entry.is_file()}
    with pytest.raises(UserError, match="holds a run already; add --resume"):
        train(options(drawn_set, run, recipe(steps=2)), lambda _: None)
    assert {entry: entry.read_bytes() for entry in run.rglob("*") if entry.is_file()} == before


def test_nothing_to_resume(drawn_set, tmp_path, recipe):
    with pytest.raises(UserError, match="nothing to resume: no checkpoint in"):
        train(options(drawn_set, tmp_path / "run", recipe(steps=1), resume=True), lambda _: None)
    assert not (tmp_path / "run").exists()


def test_another_network_is_not_resumed_but_another_recipe_is(drawn_set, tmp_path, recipe, small):
    run = tmp_path / "run"
    train(options(drawn_set, run, recipe(steps=1)), lambda _: None)
    for changed in (
        replace(small, name="wide", unet=replace(small.unet, base_channels=8)),
        replace(small, name="epsilon", diffusion=replace(small.diffusion, prediction="epsilon")),
        replace(small, name="deaf", speech_hidden=4),
    ):
        with pytest.raises(UserError, match=r"was trained with preset 'small'.*--preset small"):
            train(options(drawn_set, run, changed, resume=True), lambda _: None)
    faster = recipe(steps=2, learning_rate=0.5, batch_size=2)
    path = train(options(drawn_set, run, faster, resume=True), lambda _: None)
    assert path == checkpoint_path(run, 2)


def test_a_loss_that_is_no_number_names_the_clips(tmp_path, drawn_sample, write_set, recipe):
    bad = drawn_sample("rotten", 4)
    bad.speech[:] = np.nan
    data = write_set(tmp_path / "set", [("train", [bad, drawn_sample("good", 4)])])
    with pytest.raises(FloatingPointError, match=r"not finite at step \d+; clips \['rotten'\]"):
        train(options(data, tmp_path / "run", recipe(steps=20)), lambda _: None)


def test_a_data_set_that_is_none(tmp_path, drawn_sample, write_set, recipe):
    with pytest.raises(UserError, match="no such folder"):
        train(options(tmp_path / "none", tmp_path / "run", recipe(steps=1)), lambda _: None)
    data = write_set(tmp_path / "set", [("test", [drawn_sample("a", 4)])])
    with pytest.raises(UserError, match="no clip of split 'train', only of"):
        train(options(data, tmp_path / "run", recipe(steps=1)), lambda _: None)


# --- known faults of the loop, to be repaired there -----------------------------------------------


def test_curves_go_on_without_a_gap(drawn_set, tmp_path, recipe):
    run = tmp_path / "run"
    for steps, resume in ((3, False), (6, True)):
        train(options(drawn_set, run, recipe(steps=steps), resume=resume), lambda _: None)
    assert sorted(curves(run)["loss/simple"]) == list(range(1, 7))


def test_a_second_ctrl_c_does_not_spoil_the_save(drawn_set, tmp_path, recipe, monkeypatch):
    save = module.save

    def impatient(*given: object) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        save(*given)

    monkeypatch.setattr(module, "save", impatient)
    try:
        path = train(options(drawn_set, tmp_path / "run", recipe(steps=2)), lambda _: None)
    except KeyboardInterrupt:
        pytest.fail("no checkpoint")
    assert path.exists()


def test_out_is_a_file(drawn_set, tmp_path, recipe):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UserError, match="run"):
        train(options(drawn_set, tmp_path / "run", recipe(steps=1)), lambda _: None)


def test_wrong_data_leaves_nothing_behind(tmp_path, drawn_sample, write_set, recipe):
    data = write_set(tmp_path / "set", [("test", [drawn_sample("a", 4)])])
    with pytest.raises(UserError):
        train(options(data, tmp_path / "run", recipe(steps=1)), lambda _: None)
    assert not (tmp_path / "run").exists()


def test_asking_for_fewer_steps_than_are_done(drawn_set, tmp_path, recipe):
    run = tmp_path / "run"
    path = train(options(drawn_set, run, recipe(steps=3)), lambda _: None)
    with pytest.raises(UserError, match="at step 3 already, past the 2 asked for"):
        train(options(drawn_set, run, recipe(steps=2), resume=True), lambda _: None)
    assert train(options(drawn_set, run, recipe(steps=3), resume=True), lambda _: None) == path


# --- a run that begins with the weights of another ------------------------------------------------


def test_a_run_begins_with_the_average_of_another(drawn_set, tmp_path, recipe):
    first = train(options(drawn_set, tmp_path / "first", recipe(steps=4)), lambda _: None)
    lines: list[str] = []
    # A rate this small changes nothing that could be seen.
    begun = options(
        drawn_set, tmp_path / "second", recipe(steps=1, learning_rate=1e-12), init_from=first
    )
    second = train(begun, lines.append)
    theirs, ours = weights(first), weights(second)
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, atol=1e-6, rtol=0)
    assert any(line.startswith(f"network: from {first}, 4 steps old") for line in lines)
    assert "speech encoder: from the checkpoint" in lines
    with pytest.raises(UserError, match="leave out --init-from"):
        train(replace(begun, resume=True), lambda _: None)


def test_a_run_does_not_begin_with_another_network(drawn_set, tmp_path, recipe, small):
    first = train(options(drawn_set, tmp_path / "first", recipe(steps=1)), lambda _: None)
    wide = replace(recipe(steps=1), unet=replace(small.unet, base_channels=8))
    with pytest.raises(UserError, match=r"base_channels 16, not 8; choose another --preset"):
        train(options(drawn_set, tmp_path / "second", wide, init_from=first), lambda _: None)
    assert not (tmp_path / "second").exists()
