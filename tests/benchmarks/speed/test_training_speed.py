"""The speed of loader and training step: small runs of the scripts, and what they count."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.speed.train import Step, Way, draw_batch
from model.config.presets import preset

ROOT = Path(__file__).parents[3]


def run(script: str, *words: object) -> str:
    """What a script prints."""
    done = subprocess.run(
        [sys.executable, ROOT / "benchmarks" / "speed" / script, *map(str, words)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1"},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def cells(printed: str, first: str) -> list[str]:
    """The row of a Markdown table that begins with a cell."""
    row = next(line for line in printed.splitlines() if line.startswith(f"| {first}"))
    return [cell.strip() for cell in row.strip("|").split("|")]


@pytest.mark.slow
def test_the_training_step_is_measured_in_every_way():
    printed = run("train.py", "--preset", "tiny", "--rows", 2, "--repeat", 1)
    assert "tiny, batches of 2, on the CPU" in printed
    assert cells(printed, "plain: eager, float32, NCHW")[2] == "1.00 x"
    assert float(cells(printed, "dh-train:")[1]) > 0


def test_the_operations_are_counted():
    """Three times the forward pass and a little less, since nothing before the stem wants any."""
    chosen = preset("tiny")
    batch = draw_batch(chosen, 2, torch.device("cpu"))
    step = Step(Way("plain", "float32", torch.contiguous_format), chosen, torch.device("cpu"))
    one = step.flops(batch)
    forward = sum(
        2 * m.in_channels * m.out_channels * m.kernel_size[0] ** 2
        for m in step._model.unet.modules()
        if isinstance(m, torch.nn.Conv2d)
    )
    assert one > 2 * forward  # every convolution is used at more than one place
    half = draw_batch(chosen, 1, torch.device("cpu"))
    assert step.flops(half) == one // 2
