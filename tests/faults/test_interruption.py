"""Runs that are killed, ended or starved of disk: the same command makes the same bytes."""

import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pipeline.dataset.plan import claim, plan_shards
from pipeline.dataset.prep_options import PrepOptions
from pipeline.errors import UserError
from pipeline.files import sha256_file
from pipeline.run import prepare
from pipeline.run.prepare import pending, run_tasks
from pipeline.run.shard_writer import ShardWriter
from pipeline.run.work_options import WorkOptions
from pipeline.sources.manifest import read_input
from tests.datasets import content, run_prep, workers_of
from tests.faults.runs import (
    LONG,
    WORDS,
    interrupt,
    log_of,
    start,
    start_time,
    wait_for,
    wait_until_gone,
)

_KILLS = 6


def _wait(run: subprocess.Popen[bytes], seconds: float) -> bool:
    """Waits; whether the run still goes on."""
    with suppress(subprocess.TimeoutExpired):
        run.wait(seconds)
    return run.poll() is None


def _wait_for_workers(run: subprocess.Popen[bytes]) -> bool:
    """Waits for the first worker; whether the run still goes on."""
    while run.poll() is None and not workers_of(run.pid):
        time.sleep(0.05)
    return run.poll() is None


@pytest.mark.slow
def test_a_run_killed_at_random_moments_makes_the_same_bytes_in_the_end(
    videos: Path, whole: dict[str, str], tmp_path: Path
):
    random.seed(0)
    out, kills, finished = tmp_path / "out", 0, 0
    orphans: dict[int, str] = {}
    while kills < _KILLS or not finished:
        run = start(videos, out, workers=random.choice((1, 4)))
        # Some die while Ray starts; else first two workers, of three a clip would be given up, then
        # all of them.
        early = random.random() < 0.2
        if kills < _KILLS and (_wait(run, 2) if early else _wait_for_workers(run)):
            for _ in range(0 if early else 2):
                workers = workers_of(run.pid) if _wait(run, random.uniform(0, 2)) else ()
                with suppress(ProcessLookupError):
                    if workers:
                        os.kill(random.choice(workers), signal.SIGKILL)
                        kills += 1
            if _wait(run, random.uniform(0, 3)):
                orphans |= {pid: start_time(pid) for pid in workers_of(run.pid)}
                kill = random.choice((os.kill, os.killpg))  # the driver, or its process group
                kill(run.pid, signal.SIGKILL)
                kills += 1
        if run.wait(LONG) == 1:
            assert "Traceback" not in log_of(out), log_of(out)
            wait_until_gone(orphans)  # they end at once, yet not before their driver
            assert content(out) == whole
            finished += 1
            shutil.rmtree(out)
        else:
            assert run.returncode == -signal.SIGKILL
    assert kills >= _KILLS


@pytest.mark.slow
def test_no_worker_stays_when_the_driver_is_killed(
    videos: Path, landmark_task: Path, tmp_path: Path
):
    out, traces = tmp_path / "out", tmp_path / "traces"
    traces.mkdir()
    run = start(videos, out, 2, fault=("wait", "clip0", 1, traces))
    wait_for(run, out, traces / "0")
    workers = {pid: start_time(pid) for pid in workers_of(run.pid)}
    assert int((traces / "0").read_text()) in workers
    assert interrupt(run, signal.SIGKILL, group=False) == -signal.SIGKILL
    wait_until_gone(workers)


@pytest.fixture
def small_disk(tmp_path: Path) -> Path:
    """A file system of half a megabyte."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(folder)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a tmpfs")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_full_disk_is_one_sentence_and_nothing_is_lost(
    videos: Path,
    whole: dict[str, str],
    small_disk: Path,
    workers: int,
):
    out = small_disk / "out"
    ended = run_prep(videos, "--out", out, *WORDS, workers)
    assert ended.returncode == 2
    assert "No space left on device" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(out.glob(".*"))  # the halves are gone
    done = sorted(path.name for path in out.glob("shard-*.json"))
    assert 0 < len(done) < 6
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    assert run_prep(videos, "--out", out, *WORDS, workers).returncode == 1
    assert content(out) == whole


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["Ctrl-C", "container"]
)
def test_a_run_that_is_ended_leaves_no_halves_and_the_same_command_carries_on(
    videos: Path, whole: dict[str, str], tmp_path: Path, number: int, code: int
):
    out, traces = tmp_path / "out", tmp_path / "traces"
    traces.mkdir()
    # In mid-shard a worker stays till the end, so that there is something to interrupt.
    run = start(videos, out, 2, fault=("wait", "clip3", 1, traces))
    wait_for(run, out, traces / "0")
    assert list(out.glob(".shard-*.tar"))
    # Ctrl-C reaches the whole process group, SIGTERM the command alone.
    assert interrupt(run, number, group=number == signal.SIGINT) == code, log_of(out)
    assert log_of(out).endswith("interrupted; the same command carries on where it stopped\n")
    assert "***" not in log_of(out)
    assert not list(out.glob(".*"))
    assert run_prep(videos, "--out", out, *WORDS, 0).returncode == 1
    assert content(out) == whole


@pytest.mark.slow
def test_a_second_run_in_a_folder_is_refused_and_disturbs_nothing(
    videos: Path, whole: dict[str, str], tmp_path: Path
):
    options, out = PrepOptions(image_size=64, clips_per_shard=2), tmp_path / "out"
    shards = plan_shards(read_input(str(videos)), options.clips_per_shard)
    claim(out, shards, options)
    tasks = pending(out, shards, retry_failed=False)
    first = run_tasks(out, tasks, options, WorkOptions(0))
    next(first)
    assert list(out.glob(".shard-*.tar"))  # in mid-shard
    with pytest.raises(UserError, match="another dh-prep is at work in"):
        next(run_tasks(out, tasks, options, WorkOptions(0)))
    for _ in first:
        pass
    made = {path.name: sha256_file(path) for path in out.glob("shard-*.tar")}
    assert len(made) == 6
    assert made.items() <= whole.items()
    assert not pending(out, shards, retry_failed=False)
    list(run_tasks(out, tasks[:1], options, WorkOptions(0)))  # the lock is gone with the run


@pytest.mark.slow
def test_processes_that_make_room_for_new_ones_make_the_same_bytes(
    videos: Path, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A process lives for two clips here, which are a shard: six shards take six processes."""
    monkeypatch.setattr(prepare, "_CLIPS_PER_PROCESS", 2)
    monkeypatch.setattr(prepare, "ShardWriter", _leaving_traces(tmp_path))
    options, out = PrepOptions(image_size=64, clips_per_shard=2), tmp_path / "out"
    shards = plan_shards(read_input(str(videos)), options.clips_per_shard)
    claim(out, shards, options)
    list(run_tasks(out, pending(out, shards, retry_failed=False), options, WorkOptions(2)))
    assert len(list(tmp_path.glob("process-*"))) == len(shards) == 6
    made = {path.name: sha256_file(path) for path in out.glob("shard-*.tar")}
    assert len(made) == 6
    assert made.items() <= whole.items()


def _leaving_traces(folder: Path) -> type[ShardWriter]:
    """A class of workers that note their process; made in a function, so that Ray sends it."""

    class Traced(ShardWriter):
        def __init__(self, *arguments: Any) -> None:
            (folder / f"process-{os.getpid()}").touch()
            super().__init__(*arguments)

    return Traced
