"""Workers that die or hang: at a clip, which is given up, and where there is none."""

from pathlib import Path

import pytest

from pipeline.dataset.rows import read_rows
from pipeline.dataset.shards import read_dataset
from tests.datasets import content, run_prep
from tests.faults.runs import LONG, WORDS, log_of, start, start_time, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    """Where faulty workers leave their numbers."""
    folder = tmp_path / "traces"
    folder.mkdir()
    return folder


def _faults_triggered(traces: Path) -> int:
    return len(list(traces.glob("[0-9]*")))


def _check_without(clip: str, out: Path, videos: Path, reason: str) -> None:
    """A clip was given up and no other; tried again without the fault, it is made."""
    rows = read_rows(out).set_index("clip_id")
    assert reason in rows.loc[clip, "reason"]
    assert sorted(rows.index[rows.status == "failed"]) == [clip, "junk"]
    assert read_dataset(out)["counts"]["samples"] == 9
    assert run_prep(videos, "--out", out, *WORDS, 0, "--retry", "failed").returncode == 1
    assert read_dataset(out)["counts"]["samples"] == 10


def test_a_clip_that_ends_its_worker_is_given_up_and_the_others_are_made(
    videos: Path, landmark_task: Path, tmp_path: Path, traces: Path
):
    out = tmp_path / "out"
    run = start(videos, out, 2, fault=("die", "clip3", 100, traces))
    assert run.wait(LONG) == 1, log_of(out)
    assert _faults_triggered(traces) == 3
    _check_without("clip3", out, videos, "the worker process died on it 3 times")


def test_a_clip_that_hangs_is_given_up_and_the_others_are_made(
    videos: Path, landmark_task: Path, tmp_path: Path, traces: Path
):
    out = tmp_path / "out"
    fault = ("hang", "clip1", 1, traces)  # as in a decoder's endless loop, or on a dead disk
    run = start(videos, out, 1, "--clip-minutes", "30", fault=fault)
    wait_for(run, out, traces / "0")
    hung = int((traces / "0").read_text())
    begun = start_time(hung)
    assert run.wait(LONG) == 1, log_of(out)
    assert begun
    assert start_time(hung) != begun
    _check_without("clip1", out, videos, "took more than 30 minutes")


def test_a_worker_that_hangs_where_there_is_no_clip_is_replaced(
    videos: Path, whole: dict[str, str], tmp_path: Path, traces: Path
):
    out = tmp_path / "out"
    run = start(videos, out, 1, fault=("hang", "writing", 2, traces))
    assert run.wait(LONG) == 1, log_of(out)
    assert _faults_triggered(traces) == 2
    assert content(out) == whole


@pytest.mark.parametrize(
    ("how", "place", "reason"),
    [
        ("hang", "load", "load the models or write shard-00000 took more than 60 minutes, 4 times"),
        ("die", "writing", "workers die at shard-00000 where no clip is open, 4 times"),
    ],
)
def test_no_clip_is_blamed_where_every_worker_fails_and_the_run_ends(
    videos: Path, whole: dict[str, str], tmp_path: Path, traces: Path, how: str, place: str,
    reason: str,
):  # fmt: skip
    out = tmp_path / "out"
    run = start(videos, out, 1, fault=(how, place, 100, traces))
    assert run.wait(LONG) == 2, log_of(out)
    assert _faults_triggered(traces) == 4
    assert reason in log_of(out)
    assert "Traceback" not in log_of(out)
    assert run_prep(videos, "--out", out, *WORDS, 0).returncode == 1
    assert content(out) == whole


def test_a_worker_that_dies_while_it_starts_is_replaced(
    videos: Path, whole: dict[str, str], tmp_path: Path, traces: Path
):
    out = tmp_path / "out"
    run = start(videos, out, 2, fault=("die", "start", 3, traces))
    assert run.wait(LONG) == 1, log_of(out)
    assert _faults_triggered(traces) == 3
    assert content(out) == whole
