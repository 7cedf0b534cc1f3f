"""Several workers: the loss curve of one, and a death that changes nothing."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from ray.train import Result
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model.checkpoints.checkpoint import read_info, resolve
from model.config.presets import Preset
from model.config.recipe import MotionCorruption
from model.training.loop import train
from model.training.ray_train import RESULT, train_on_ray
from model.training.run_options import RunOptions
from pipeline.errors import UserError

pytestmark = pytest.mark.slow


@pytest.fixture
def preset(recipe: Callable[..., Preset]) -> Preset:
    """Everything that draws numbers, but for dropout, whose are each worker's own."""
    return recipe(
        steps=8,
        batch_size=4,
        drop_motion=0.3,
        motion=MotionCorruption(noise=0.3, colour=0.1),
        speech_noise=0.5,
        lambda_lips=0.1,
        clip_norm=1.0,
    )


def options(data: Path, out: Path, preset: Preset) -> RunOptions:
    return RunOptions(
        data,
        out,
        preset,
        device="cpu",
        precision="float32",
        loaders=0,
        log_every=1,
        save_every=3,
        strip_every=0,
    )


def curve(run: Path, name: str) -> list[float]:
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return [event.value for event in events.Scalars(name)]


def test_two_workers_have_the_loss_curve_of_one(drawn_set: Path, tmp_path: Path, preset: Preset):
    lines: list[str] = []
    one = options(drawn_set, tmp_path / "one", preset)
    train(one, lambda _: None)
    two = replace(options(drawn_set, tmp_path / "two", preset), keep=2)
    path = train_on_ray(two, lines.append, workers=2)
    assert read_info(path).step == 8
    for name in ("loss/total", "loss/simple", "loss/lip", "loss/reading"):
        alone, together = curve(one.out, name), curve(two.out, name)
        assert len(alone) == 8
        assert together == pytest.approx(alone, rel=1e-4)
    assert lines[0].startswith("small: ")
    assert [line.split()[1] for line in lines[1:]] == [f"{step}/8" for step in range(1, 9)]

    # Ray knows the checkpoints that are kept, as the same files, and the metrics.
    result = Result.from_path(two.out / RESULT)
    assert [metrics["step"] for _, metrics in result.best_checkpoints] == [6, 8]
    assert result.metrics["loss/total"] == curve(two.out, "loss/total")[-1]
    assert resolve(Path(result.checkpoint.path)).resolve() == path.resolve()
    kept = [len(list(entry.iterdir())) for entry in (two.out / RESULT).glob("check*-*/")]
    assert kept == [2, 2]

    # It goes on where it ended, and a budget of time ends all workers together.
    endless = replace(preset, train=replace(preset.train, steps=100_000))
    minutes = (read_info(path).seconds + 2) / 60
    longer = replace(two, resume=True, minutes=minutes, preset=endless)
    info = read_info(train_on_ray(longer, lines.append, workers=2))
    assert 8 <= info.step < 100_000  # a busy machine may take no further step in two seconds
    assert "steps 8 to 100000" in lines[9]


@contextmanager
def started(data: Path, out: Path, *words: object) -> Iterator[subprocess.Popen[str]]:
    """dh-train with two workers and a small network; what is left of it at the end is killed."""
    command = [sys.executable, "-c", "from model.cli.train import train_main; train_main()"]
    command += ["--data", data, "--out", out, "--workers", 2, "--batch-size", 2, "--loaders", 0]
    command += ["--device", "cpu", "--log-every", 1, "--strip-every", 0, *words]
    for field in ("unet.image_size=32", "unet.base_channels=16", "unet.channel_mult=[1,2]"):
        command += ["--set", field]
    with subprocess.Popen(
        list(map(str, command)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def workers_below(driver: int) -> list[int]:
    """Processes of Ray Train's workers that descend from a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name = (entry / "cmdline").read_bytes()
                session = int((entry / "stat").read_text().rpartition(")")[2].split()[3])
            except OSError:
                continue
            if name.startswith(b"ray::") and b"Worker" in name and session == os.getsid(driver):
                found.append(int(entry.name))
    return found


def test_a_worker_that_is_killed_changes_nothing(drawn_set: Path, tmp_path: Path):
    """All begin again from the last checkpoint and come to the same bits; SIGTERM saves."""
    # What is said of a step is heard some steps later: the run goes on until it has been. With no
    # cool-down a step does not depend on how many are to come.
    words = ("--save-every", 4, "--keep", 0, "--set", "train.cooldown=0")
    lines, begun = [], []
    with started(drawn_set, tmp_path / "broken", "--steps", 100_000, *words) as broken:
        for line in broken.stdout:
            lines.append(line)
            begun += map(int, re.findall(r"steps (\d+) to 100000", line))
            if line.startswith("step 6/") and len(begun) == 1:
                os.kill(workers_below(broken.pid)[-1], signal.SIGKILL)
            if len(begun) == 2 and line.startswith(f"step {begun[1] + 4}/"):
                broken.terminate()
        assert broken.wait(240) == 0, "".join(lines)
    # SIGTERM saves; the workers write to the same terminal, and may have the last word.
    assert "Traceback" not in "".join(lines)
    assert [line for line in lines if line.startswith("saved ")]
    assert 0 == begun[0] < begun[1]
    assert (len(begun), begun[1] % 4) == (2, 0)

    same = begun[1] + 4
    with started(drawn_set, tmp_path / "whole", "--steps", same, *words) as whole:
        said, _ = whole.communicate(timeout=600)
        assert whole.returncode == 0, said
    name = f"checkpoint-{same:07d}.safetensors"
    expected, found = (load_file(tmp_path / run / name) for run in ("whole", "broken"))
    assert [key for key in expected if not torch.equal(expected[key], found[key])] == []


def test_what_is_wrong_is_told_before_ray_starts(drawn_set: Path, tmp_path: Path, preset: Preset):
    given = options(drawn_set, tmp_path / "run", preset)
    with pytest.raises(UserError, match="cannot be divided evenly among 3 workers"):
        train_on_ray(given, workers=3)
    with pytest.raises(UserError, match="no such folder"):
        train_on_ray(replace(given, data=tmp_path / "none"), workers=2)
    assert not (tmp_path / "run").exists()


def test_divergence_ends_the_run_in_a_sentence(
    drawn_set: Path, tmp_path: Path, recipe: Callable[..., Preset]
):
    given = options(drawn_set, tmp_path / "run", recipe(learning_rate=100, warmup=0, steps=12))
    with pytest.raises(UserError, match=r"train\.learning_rate") as error:
        train_on_ray(replace(given, precision="bf16"), workers=2)
    assert "\n" not in str(error.value)
