"""What tests of broken runs share: a few small clips, and the data set that they make."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.datasets import content, run_prep, write_talker
from tests.faults.runs import WORDS


@pytest.fixture(scope="session")
def videos(made_once: Callable[..., Path]) -> Path:
    """Ten good clips and a bad one: six shards."""

    def write(folder: Path) -> None:
        for index in range(10):
            write_talker(folder / f"clip{index}.mp4", 11 + index, index)
        (folder / "junk.mp4").write_text("no video")

    return made_once("interrupted-videos", write)


@pytest.fixture(scope="session")
def whole(landmark_task: Path, videos: Path, made_once: Callable[..., Path]) -> dict[str, str]:
    """What an uninterrupted run in one process makes."""

    def write(folder: Path) -> None:
        run = run_prep(videos, "--out", folder / "set", *WORDS, 0)
        assert run.returncode == 1, run.stderr  # the junk

    return content(made_once("uninterrupted", write) / "set")
