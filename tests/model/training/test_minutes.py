"""Training by a budget of time, on a clock that the steps advance."""

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from model.checkpoints.checkpoint import read_info
from model.training import loop
from model.training.loop import train
from model.training.process_group import ProcessGroup
from model.training.run_folder import checkpoint_path
from model.training.run_options import RunOptions
from pipeline.files import read_json
from tests.model.runs import options


@pytest.fixture
def rates(monkeypatch) -> list[float]:
    """The learning rate of every step so far."""
    used: list[float] = []
    update = loop.update

    def noted(state, *given) -> None:
        update(state, *given)
        used.append(state.optimizer.param_groups[0]["lr"])

    monkeypatch.setattr(loop, "update", noted)
    return used


@pytest.fixture
def run(rates) -> Callable[..., tuple[Path, list[str]]]:
    """Trains on a clock that every step moves by ten seconds; gives checkpoint and lines."""

    def trained(given: RunOptions, stop_at: int | None = None) -> tuple[Path, list[str]]:
        lines: list[str] = []

        def report(line: str) -> None:
            lines.append(line)
            if line.startswith(f"step {stop_at}/"):
                signal.raise_signal(signal.SIGTERM)

        return train(given, report, clock=lambda: 10.0 * len(rates)), lines

    return trained


@pytest.mark.slow
def test_it_ends_with_its_minutes_and_the_rate_has_fallen(drawn_set, tmp_path, recipe, run, rates):
    preset = recipe(steps=1000, learning_rate=0.01, cooldown=0.5)
    given = options(drawn_set, tmp_path / "run", preset, minutes=1, strip_every=500)
    path, lines = run(given)
    assert path == checkpoint_path(given.out, 6)
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.01, 0.01 * 2 / 3, 0.01 / 3])
    assert "at most 1 minutes" in lines[0]
    assert lines[1].endswith("0:00:50 left")
    assert lines[3].endswith("0:00:30 left")
    assert read_info(path).seconds == 60
    report = read_json(given.out / "report.json")
    assert (report["finished"], report["step"], report["seconds"]) == (True, 6, 60)
    assert [strip.name for strip in (given.out / "strips").iterdir()] == ["step-0000006.png"]


@pytest.mark.slow
def test_it_ends_with_its_steps_if_they_come_first(drawn_set, tmp_path, recipe, run, rates):
    preset = recipe(steps=4, learning_rate=0.01, cooldown=0.5)
    path, _ = run(options(drawn_set, tmp_path / "run", preset, minutes=50))
    assert path == checkpoint_path(tmp_path / "run", 4)
    assert rates == pytest.approx([0.01, 0.01, 0.01, 0.005])


@pytest.mark.slow
def test_an_interrupted_run_ends_in_the_same_bits(drawn_set, tmp_path, recipe, run, rates):
    preset = recipe(steps=1000, decays=3, cooldown=0.5)
    whole = options(drawn_set, tmp_path / "whole", preset, minutes=1, precision="float32")
    expected = load_file(run(whole)[0])
    broken = replace(whole, out=tmp_path / "broken")
    assert run(broken, stop_at=2)[0] == checkpoint_path(broken.out, 2)
    assert not read_json(broken.out / "report.json")["finished"]
    path, lines = run(replace(broken, resume=True))
    assert lines[1].endswith("0:00:30 left")
    found = load_file(path)
    assert [name for name in expected if not torch.equal(found[name], expected[name])] == []
    assert rates[:6] == rates[6:]

    # It is finished; more minutes carry it further, from where it stood.
    assert run(replace(broken, resume=True))[0] == path
    longer = run(replace(broken, resume=True, minutes=2))[0]
    assert longer == checkpoint_path(broken.out, 12)
    assert read_info(longer).seconds == 120


def test_all_processes_follow_the_main_ones_clock(monkeypatch):
    group = ProcessGroup(rank=1, world_size=2)
    others = (False, 60.0)
    monkeypatch.setattr(ProcessGroup, "all_gather", lambda _, value: [others, value])
    assert group.agree(stop=False, seconds=59.0) == (False, 60.0)
    assert group.agree(stop=True, seconds=61.0) == (True, 60.0)


@pytest.mark.parametrize("minutes", [0, -1, float("nan")])
def test_minutes_that_are_none(drawn_set, tmp_path, recipe, minutes):
    with pytest.raises(ValidationError, match="minutes"):
        options(drawn_set, tmp_path / "run", recipe(), minutes=minutes)
