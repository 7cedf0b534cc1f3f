"""Runs that are stopped, and that carry on where they were."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from model.checkpoints.checkpoint import read_info
from model.config.recipe import MotionCorruption
from model.training import loop as module
from model.training.loop import train
from model.training.run_folder import checkpoint_path
from tests.model.runs import curves, options, weights


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_and_stops_and_resume_carries_on(drawn_set, tmp_path, recipe, number):
    run, before = tmp_path / "run", signal.getsignal(number)

    def interrupted(line: str) -> None:
        if line.startswith("step 3/"):
            signal.raise_signal(number)

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
            signal.raise_signal(signal.SIGTERM)

    broken = replace(whole, out=tmp_path / "broken")
    assert train(broken, interrupted) == checkpoint_path(broken.out, 2)
    again = replace(broken, resume=True, seed=0)  # the seed is the run's
    assert train(again, interrupted) == checkpoint_path(broken.out, 5)
    found = load_file(train(again, lambda _: None))
    assert found.keys() == expected.keys()
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []
    assert curves(broken.out)["loss/total"] == curve


@pytest.mark.slow
def test_a_resumed_run_begins_with_the_weights_it_ended_with(
    drawn_set, tmp_path, recipe, monkeypatch
):
    run = tmp_path / "run"
    path = train(options(drawn_set, run, recipe(steps=2)), lambda _: None)
    begun: list[dict] = []
    monkeypatch.setattr(
        module,
        "update",
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
    for field in ("unet.image_size=32", "unet.base_channels=16", "unet.channel_mult=[1,2]"):
        words += ["--set", field]
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from model.cli.train import train_main; train_main()",
            *map(str, words),
        ],
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
            assert process.wait(300) == 0, "".join(said)
        finally:
            process.kill()
    assert "Traceback" not in "".join(said)
    # The readers write to the same terminal, and may have the last word.
    assert [line for line in said if line.startswith(f"saved {run}")]
    assert read_info(next(run.glob("checkpoint-*.safetensors"))).step >= 6


@pytest.mark.slow
def test_curves_go_on_without_a_gap(drawn_set, tmp_path, recipe):
    run = tmp_path / "run"
    for steps, resume in ((3, False), (6, True)):
        train(options(drawn_set, run, recipe(steps=steps), resume=resume), lambda _: None)
    assert sorted(curves(run)["loss/simple"]) == list(range(1, 7))


@pytest.mark.slow
def test_curves_of_runs_within_one_second_go_on(drawn_set, tmp_path, recipe):
    """TensorBoard reads files by name, and of one second's either may come first."""
    run = tmp_path / "run"
    train(options(drawn_set, run, recipe(steps=2)), lambda _: None)
    (older,) = (run / "tensorboard").iterdir()
    older.rename(older.with_name(f"events.out.tfevents.{int(time.time()):010d}.z.1.1"))
    train(options(drawn_set, run, recipe(steps=4), resume=True), lambda _: None)
    assert sorted(curves(run)["loss/simple"]) == [1, 2, 3, 4]


def test_a_second_ctrl_c_does_not_spoil_the_save(drawn_set, tmp_path, recipe, monkeypatch):
    save = module.save

    def impatient(*given: object) -> None:
        signal.raise_signal(signal.SIGINT)
        save(*given)

    monkeypatch.setattr(module, "save", impatient)
    try:
        path = train(options(drawn_set, tmp_path / "run", recipe(steps=2)), lambda _: None)
    except KeyboardInterrupt:
        pytest.fail("no checkpoint")
    assert path.exists()
