"""Clips of one frame and of five minutes, in odd places and in places that may not be entered."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from pipeline.dataset.check import check_dataset
from pipeline.dataset.rows import read_rows
from tests.datasets import DH_PREP, run_prep
from tests.faults.inputs.case import film
from tests.faults.inputs.damage import repeated
from tests.faults.permissions import needs_permissions, run_with_permissions


@pytest.mark.parametrize("frames", [1, 2])
def test_a_clip_of_a_frame_or_two_can_be_had(landmark_task: Path, tmp_path: Path, frames: int):
    film(seconds=frames / 25)(tmp_path / "a.mp4")
    words = ("--out", tmp_path / "out", "--workers", 0, "--min-seconds", 0)
    ended = run_prep(tmp_path / "a.mp4", *words)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (row,) = read_rows(tmp_path / "out").to_dict("records")
    assert row["frames"] == frames
    assert check_dataset(tmp_path / "out").problems == []


@pytest.mark.slow
def test_an_input_named_in_another_encoding(landmark_task: Path, tmp_path: Path):
    path = tmp_path / os.fsdecode(b"latin \xe9.mp4")
    film(seconds=0.4)(path)
    ended = run_with_permissions("run", path, "--out", tmp_path / "out", "--workers", 0)
    assert ended.returncode == 0, ended.stderr
    assert check_dataset(tmp_path / "out").problems == []


@pytest.mark.slow
def test_a_folder_that_may_not_be_opened_is_named(landmark_task: Path, tmp_path: Path):
    needs_permissions()
    locked = tmp_path / "videos" / "locked"
    locked.mkdir(parents=True)
    for path in (locked / "a.mp4", locked.parent / "b.mp4"):
        film(seconds=0.4)(path)
    locked.chmod(0)
    try:
        for source in (locked, locked.parent):
            ended = run_with_permissions("run", source, "--out", tmp_path / "out", "--workers", 0)
            assert ended.returncode == 2
            assert str(locked) in ended.stderr
            assert "Permission denied" in ended.stderr
    finally:
        locked.chmod(0o700)


@pytest.mark.slow
def test_five_minutes_do_not_fill_the_memory(landmark_task: Path, tmp_path: Path):
    minute = film(seconds=60, fps=5, sound="pcm_s16le", rate=8000,
                  coding={"preset": "ultrafast", "bf": "0"})  # fmt: skip
    repeated(minute, 5, 60)(tmp_path / "long.mkv")
    words = ("run", tmp_path / "long.mkv", "--out", tmp_path / "out", "--workers", 0)
    with (tmp_path / "log").open("w") as log:
        run = subprocess.Popen(
            [DH_PREP, *map(str, words), "--image-size", "64"], stdout=log, stderr=log
        )
        most = 0  # kB; what wait4 tells counts the tests' own process as well, from before exec
        while run.poll() is None:
            most = max(most, _peak(run.pid))
            time.sleep(0.05)
    assert run.returncode == 0, (tmp_path / "log").read_text()
    (row,) = read_rows(tmp_path / "out").to_dict("records")
    assert row["frames"] == 7500
    assert 2**17 < most < 1.3 * 2**20  # the frames alone are 1.4 * 2**20 kB


def _peak(pid: int) -> int:
    """Most memory that a process has had so far, in kB; 0 if it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    lines = [line.split() for line in status.splitlines() if line.startswith("VmHWM")]
    return int(lines[0][1]) if lines else 0
