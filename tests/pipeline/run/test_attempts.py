"""The journal tells a new worker what the last one was at when it ended."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.run.attempts import Journal
from pipeline.storage import Folder

_WORKER = """
import os, signal, sys, time
from pipeline.run.attempts import Journal
from pipeline.storage import Folder
folder, clip, how = sys.argv[1:]
with Journal(Folder(folder), "shard-00000", minutes=60) as journal:
    journal.enter("fine")
    journal.enter(clip)
    if how == "hang":
        journal.deadline = 0
        time.sleep(600)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def _end_at(clip: str, folder: Path, how: str = "die") -> None:
    ended = subprocess.run([sys.executable, "-c", _WORKER, folder, clip, how], check=False)
    assert ended.returncode == -signal.SIGKILL


def _open(folder: Path | str) -> Journal:
    return Journal(Folder(str(folder)), "shard-00000", minutes=60)


def test_a_clip_is_given_up_at_the_third_death_and_no_other(tmp_path: Path):
    for clip in ("bad", "other", "bad", "bad"):
        _end_at(clip, tmp_path)
    with _open(tmp_path) as journal:
        assert list(journal.given_up) == ["bad"]
        assert "died on it 3 times" in journal.given_up["bad"]
    assert not os.listdir(tmp_path)  # noqa: PTH208 - hidden files too
    with _open(tmp_path) as journal:
        assert not journal.given_up


def test_a_clip_that_hangs_is_given_up_at_once(tmp_path: Path):
    _end_at("slow", tmp_path, "hang")
    with _open(tmp_path) as journal:
        assert "took more than 60 minutes" in journal.given_up["slow"]


@pytest.mark.parametrize(("how", "reason"), [("die", "workers die"), ("hang", "60 minutes")])
def test_where_no_clip_is_open_the_fourth_end_is_an_error(tmp_path: Path, how: str, reason: str):
    for _ in range(4):
        _end_at("", tmp_path, how)
    with pytest.raises(UserError, match=reason) as raised, _open(tmp_path):
        pass
    assert "shard-00000" in str(raised.value)


def test_it_lies_in_an_object_store_as_well():
    folder = "memory://journals"
    with _open(folder) as journal:
        journal.enter("clip7")
        with _open(folder) as other:  # as the worker of another machine would
            assert not other.given_up
        assert Folder(folder).names(".shard-*.tmp.*") == []
