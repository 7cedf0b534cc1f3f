"""Runs that are killed, starved of disk or poisoned: the same command makes the same bytes."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import pytest

from pipeline import workers as ray_workers
from pipeline.errors import UserError
from pipeline.files import sha256_file
from pipeline.manifest import read_input
from pipeline.options import PrepOptions
from pipeline.plan import claim, plan_shards
from pipeline.rows import read_rows
from pipeline.run import pending, run_tasks
from pipeline.shards import read_dataset
from tests.datasets import DH_PREP, content, run_prep, workers_of, write_talker

_KILLS = 30
_WORDS = ("--clips-per-shard", "2", "--image-size", "64", "--workers")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten good clips and a bad one: six shards."""
    folder = tmp_path_factory.mktemp("interruption") / "videos"
    for index in range(10):
        write_talker(folder / f"clip{index}.mp4", 20 + index, index)
    (folder / "junk.mp4").write_text("no video")
    return folder


@pytest.fixture(scope="module")
def whole(landmark_task: Path, videos: Path) -> dict[str, str]:
    """What an uninterrupted run in one process makes."""
    out = videos.parent / "whole"
    assert run_prep(videos, "--out", out, *_WORDS, 0).returncode == 1  # the junk
    return content(out)


def _start(videos: Path, out: Path, workers: int, *words: str) -> subprocess.Popen[bytes]:
    with out.with_suffix(".log").open("w") as log:
        return subprocess.Popen(
            [DH_PREP, "run", videos, "--out", out, *_WORDS, str(workers), *words],
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


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
    while kills < _KILLS or not finished:
        run = _start(videos, out, workers=random.choice((1, 4)))
        # Some die while Ray starts; else first one worker, then all of them.
        early = random.random() < 0.2
        if kills < _KILLS and (_wait(run, 2) if early else _wait_for_workers(run)):
            if not early and _wait(run, random.uniform(0, 4)):
                workers = workers_of(run.pid)
                with suppress(ProcessLookupError):
                    if workers:
                        os.kill(random.choice(workers), signal.SIGKILL)
                        kills += 1
            if _wait(run, random.uniform(0, 3)):
                kill = random.choice((os.kill, os.killpg))  # the driver, or its process group
                kill(run.pid, signal.SIGKILL)
                kills += 1
        if run.wait(120) == 1:
            assert "Traceback" not in (said := out.with_suffix(".log").read_text()), said
            assert content(out) == whole
            finished += 1
            shutil.rmtree(out)
        else:
            assert run.returncode == -signal.SIGKILL
    assert kills >= _KILLS


def test_no_worker_stays_when_the_driver_is_killed(
    videos: Path, landmark_task: Path, tmp_path: Path
):
    run = _start(videos, tmp_path / "out", workers=2)
    while not workers_of(run.pid):
        time.sleep(0.05)
        assert run.poll() is None
    workers = workers_of(run.pid)
    run.kill()
    run.wait()
    end = time.monotonic() + 30
    while time.monotonic() < end and (alive := [pid for pid in workers if _runs(pid)]):
        time.sleep(0.2)
    assert not alive


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow
def test_a_clip_that_ends_its_worker_is_given_up_and_the_others_are_made(
    videos: Path, landmark_task: Path, tmp_path: Path
):
    folder = Path(shutil.copytree(videos, tmp_path / "videos"))
    write_talker(folder / "clip3.mp4", 600)  # long enough to be caught in the act
    run = _start(folder, tmp_path / "out", workers=2)
    deaths = 0
    while run.poll() is None:  # whoever opens the clip dies
        for pid in workers_of(run.pid):
            if _holds(pid, folder / "clip3.mp4"):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                    deaths += 1
        time.sleep(0.01)
    assert run.returncode == 1
    assert deaths >= 3
    rows = read_rows(tmp_path / "out").set_index("clip_id")
    assert rows.loc["clip3", "status"] == "failed"
    assert "the worker process died on it 3 times" in rows.loc["clip3", "reason"]
    assert sorted(rows.index[rows.status == "failed"]) == ["clip3", "junk"]
    assert read_dataset(tmp_path / "out")["counts"]["samples"] == 9
    # Tried again where it does not kill, it is made.
    words = (folder, "--out", tmp_path / "out", *_WORDS, 0)
    assert run_prep(*words, "--retry", "failed").returncode == 1
    assert read_dataset(tmp_path / "out")["counts"]["samples"] == 10


@pytest.mark.slow
def test_a_clip_that_hangs_is_given_up_and_the_others_are_made(
    videos: Path, landmark_task: Path, tmp_path: Path
):
    folder = Path(shutil.copytree(videos, tmp_path / "videos"))
    write_talker(folder / "clip3.mp4", 600)  # long enough to be caught in the act
    out, frozen = tmp_path / "out", 0
    run = _start(folder, out, 2, "--clip-minutes", "0.2")
    while run.poll() is None:
        for pid in [] if frozen else workers_of(run.pid):
            if _holds(pid, folder / "clip3.mp4"):
                time.sleep(0.3)  # till what it said of the clip before has left it
                os.kill(pid, signal.SIGSTOP)  # as in a decoder's endless loop, or on a dead disk
                frozen = pid
        time.sleep(0.01)
    assert frozen
    assert run.returncode == 1
    assert not _runs(frozen)
    rows = read_rows(out).set_index("clip_id")
    assert "took more than 0.2 minutes" in rows.loc["clip3", "reason"]
    assert sorted(rows.index[rows.status == "failed"]) == ["clip3", "junk"]
    assert read_dataset(out)["counts"]["samples"] == 9
    words = (folder, "--out", out, *_WORDS, 1, "--retry", "failed")
    assert run_prep(*words).returncode == 1
    assert read_dataset(out)["counts"]["samples"] == 10


def _holds(pid: int, path: Path) -> bool:
    with suppress(OSError):
        return any(entry.readlink() == path for entry in Path(f"/proc/{pid}/fd").iterdir())
    return False


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


@pytest.mark.parametrize("workers", [0, pytest.param(2, marks=pytest.mark.slow)])
def test_a_full_disk_is_said_in_a_sentence_and_nothing_is_lost(
    videos: Path, whole: dict[str, str], small_disk: Path, workers: int
):
    out = small_disk / "out"
    ended = run_prep(videos, "--out", out, *_WORDS, workers)
    assert ended.returncode == 2
    assert "No space left on device" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(out.glob(".*"))  # the halves are gone
    done = sorted(path.name for path in out.glob("shard-*.json"))
    assert 0 < len(done) < 6
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    assert run_prep(videos, "--out", out, *_WORDS, workers).returncode == 1
    assert content(out) == whole


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, 130),
        # What ends a container.
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
    ],
)
def test_a_run_that_is_ended_leaves_no_halves_and_the_same_command_carries_on(
    videos: Path, whole: dict[str, str], tmp_path: Path, number: int, code: int
):
    out = tmp_path / "out"
    run = _start(videos, out, workers=2)
    while not list(out.glob(".shard-*.tar")):
        time.sleep(0.02)
        assert run.poll() is None
    # Ctrl-C reaches the whole process group, SIGTERM the command alone.
    (os.killpg if number == signal.SIGINT else os.kill)(run.pid, number)
    assert run.wait(60) == code
    said = out.with_suffix(".log").read_text()
    assert said.endswith("interrupted; the same command carries on where it stopped\n")
    assert "***" not in said
    assert not list(out.glob(".*"))
    assert run_prep(videos, "--out", out, *_WORDS, 2).returncode == 1
    assert content(out) == whole


def test_a_second_run_in_a_folder_is_refused_and_disturbs_nothing(
    videos: Path, whole: dict[str, str], tmp_path: Path
):
    options, out = PrepOptions(image_size=64, clips_per_shard=2), tmp_path / "out"
    shards = plan_shards(read_input(str(videos)), options.clips_per_shard)
    claim(out, shards, options)
    tasks = pending(out, shards, retry_failed=False)
    first = run_tasks(out, tasks, options, workers=0)
    next(first)
    assert list(out.glob(".shard-*.tar"))  # in mid-shard
    with pytest.raises(UserError, match="another dh-prep is at work in"):
        next(run_tasks(out, tasks, options, workers=0))
    for _ in first:
        pass
    made = {path.name: sha256_file(path) for path in out.glob("shard-*.tar")}
    assert len(made) == 6
    assert made.items() <= whole.items()
    assert not pending(out, shards, retry_failed=False)
    list(run_tasks(out, tasks[:1], options, workers=0))  # the lock is gone with the run


def test_a_worker_that_dies_while_it_starts_is_replaced(
    videos: Path, whole: dict[str, str], tmp_path: Path
):
    out = tmp_path / "out"
    run = _start(videos, out, workers=2)
    killed = 0
    while run.poll() is None:
        for pid in workers_of(run.pid) if killed < 2 else []:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # as soon as it has its name
                killed += 1
        time.sleep(0.01)
    assert run.returncode == 1, out.with_suffix(".log").read_text()
    assert killed >= 2
    assert content(out) == whole


@pytest.mark.slow
def test_workers_that_make_room_for_new_ones_make_the_same_bytes(
    videos: Path, whole: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A worker's life is two clips here, a shard: six shards take six workers, two at a time."""
    started: list[int] = []
    start = ray_workers._Pool.start
    monkeypatch.setattr(ray_workers, "_LIFE", 2)
    monkeypatch.setattr(ray_workers._Pool, "start", lambda pool: started.append(1) or start(pool))
    options, out = PrepOptions(image_size=64, clips_per_shard=2), tmp_path / "out"
    shards = plan_shards(read_input(str(videos)), options.clips_per_shard)
    claim(out, shards, options)
    list(run_tasks(out, pending(out, shards, retry_failed=False), options, workers=2))
    assert len(started) >= len(shards) == 6
    made = {path.name: sha256_file(path) for path in out.glob("shard-*.tar")}
    assert len(made) == 6
    assert made.items() <= whole.items()
