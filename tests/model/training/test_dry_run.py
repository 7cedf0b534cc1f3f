"""A dry run: what it measures, and that nothing is written."""

import itertools
import re

import pytest

from model.training.dry_run import dry_run
from model.training.loop import train
from tests.model.runs import options


@pytest.mark.slow
def test_it_says_what_the_run_takes_and_writes_nothing(drawn_set, tmp_path, recipe):
    given = options(drawn_set, tmp_path / "run", recipe(steps=100), save_every=40, minutes=2)
    lines: list[str] = []
    dry_run(given, lines.append, clock=itertools.count(0, 2).__next__)
    assert not given.out.exists()
    assert lines[0].startswith("small: ")
    text = "\n".join(lines)
    # Five steps of four images in 12 s, as this clock reads.
    assert re.search(r"speed: 1\.7 images/s; 0:02:00 to the end", text)
    for name in ("options.json", "report.json", "checkpoint-0000100.safetensors", "tensorboard"):
        assert name in text
    assert "every 40 steps" in text
    assert "/strips" not in text

    # The size of a checkpoint is as estimated.
    size = train(options(drawn_set, given.out, recipe(steps=1)), lambda _: None).stat().st_size
    assert f"{size / 2**20:.0f} MiB" in text


@pytest.mark.slow
def test_a_run_to_be_resumed_stays_as_it_is(drawn_set, tmp_path, recipe):
    run = tmp_path / "run"
    train(options(drawn_set, run, recipe(steps=1)), lambda _: None)
    before = {entry: entry.read_bytes() for entry in run.rglob("*") if entry.is_file()}
    lines: list[str] = []
    clock = itertools.count(0, 20).__next__
    dry_run(options(drawn_set, run, recipe(steps=3), resume=True), lines.append, clock=clock)
    assert "steps 1 to 3" in lines[0]
    assert {entry: entry.read_bytes() for entry in run.rglob("*") if entry.is_file()} == before


@pytest.mark.slow
def test_activations_grow_with_the_batch_and_shrink_with_its_parts(drawn_set, tmp_path, recipe):
    def estimate(**changes: int) -> float:
        lines: list[str] = []
        given = options(drawn_set, tmp_path / "run", recipe(**changes), precision="float32")
        dry_run(given, lines.append, clock=itertools.count(0, 20).__next__)
        (line,) = [line for line in lines if "estimated" in line]
        return float(re.search(r"([\d.]+) GiB for activations", line)[1])

    whole = estimate(batch_size=128)
    assert whole > 0.1
    assert abs(estimate(batch_size=128, accumulate=4) - whole / 4) < 0.02
