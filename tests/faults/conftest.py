"""What tests of broken runs share: a few small clips, and the data set that they make."""

from pathlib import Path

import pytest

from tests.datasets import content, run_prep, write_talker
from tests.faults.runs import WORDS


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten good clips and a bad one: six shards."""
    folder = tmp_path_factory.mktemp("interruption") / "videos"
    for index in range(10):
        write_talker(folder / f"clip{index}.mp4", 20 + index, index)
    (folder / "junk.mp4").write_text("no video")
    return folder


@pytest.fixture(scope="session")
def whole(landmark_task: Path, videos: Path) -> dict[str, str]:
    """What an uninterrupted run in one process makes."""
    out = videos.parent / "whole"
    assert run_prep(videos, "--out", out, *WORDS, 0).returncode == 1  # the junk
    return content(out)
