"""A real clip in a data set."""

from pathlib import Path

import pytest

from tests.datasets import run_prep


@pytest.fixture(scope="session")
def talking_set(
    shared_data: Path, landmark_task: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """One sentence of GRID, 128 x 128."""
    folder = tmp_path_factory.mktemp("talking")
    (folder / "clips.csv").write_text(
        f"clip_id,path,speaker,split\nbgaa6n,{shared_data}/grid_s1/bgaa6n.mpg,s1,test\n"
    )
    run = run_prep(folder / "clips.csv", "--out", folder / "data", "--workers", 0)
    assert run.returncode == 0, run.stderr
    return folder / "data"
