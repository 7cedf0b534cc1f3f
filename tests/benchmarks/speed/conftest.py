"""Two short videos, and the scripts as a user runs them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.datasets import write_talker

ROOT = Path(__file__).parents[3]


@pytest.fixture
def clips(tmp_path):
    """Two videos of 1 s of a face that moves, with noise for sound."""
    for shift, name in enumerate(("one", "two")):
        write_talker(tmp_path / "clips" / f"{name}.mp4", 25, shift)
    return tmp_path / "clips"


@pytest.fixture
def script():
    """A function that runs a script of benchmarks/speed and returns the cells of its tables."""

    def run(name, *words):
        command = [sys.executable, ROOT / "benchmarks" / "speed" / name, *map(str, words)]
        # Threads that wait by spinning take minutes on a machine that has something else to do.
        environment = os.environ | {"OMP_WAIT_POLICY": "passive", "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        lines = [line.strip("| ").split(" | ") for line in done.stdout.splitlines() if "|" in line]
        return done.stdout, {first: rest for first, *rest in lines}

    return run
