"""What a run will take, told from a few of its clips."""

import re
from pathlib import Path

import pytest

from pipeline.dataset.prep_options import PrepOptions
from pipeline.run.estimate import estimate, total_size
from pipeline.sources.manifest import ManifestRow, scan
from pipeline.units import evenly
from tests.datasets import run_prep, write_talker


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three clips of 12, 14 and 16 frames."""
    folder = tmp_path_factory.mktemp("estimate") / "videos"
    for index in range(3):
        write_talker(folder / f"{index}.mp4", 12 + 2 * index, index)
    return folder


def test_a_part_of_many_is_spread_evenly():
    assert evenly(range(100), 5) == [0, 25, 50, 74, 99]
    assert evenly([1, 2], 5) == [1, 2]
    assert evenly([], 5) == []


def test_sizes_are_summed_and_what_is_missing_is_named(videos: Path):
    rows = [*scan(videos, "folder"), ManifestRow("x", "/no/such.mp4", "such.mp4")]
    rows += [rows[0]]  # a video that two rows cut from is there once
    size, missing, looked = total_size(rows)
    assert size == sum(path.stat().st_size for path in videos.iterdir())
    assert (missing, looked) == (["/no/such.mp4"], 4)


def test_what_was_tried_stands_for_all(videos: Path, landmark_task: Path):
    rows = scan(videos, "folder") * 100
    lines = estimate(rows, PrepOptions(), 2, landmark_task.parent)
    told = r"estimate   \S+ \w+ from a timed sample of 8 clips \(\d+\.\d\d seconds each\), 2 at"
    assert re.match(told, lines[0])
    frames = int(re.search(r"([\d,]+) frames", lines[1])[1].replace(",", ""))
    assert frames == pytest.approx(100 * (12 + 14 + 16), rel=0.1)


def test_why_there_is_no_estimate_is_said(tmp_path: Path, landmark_task: Path, monkeypatch):
    (tmp_path / "a.mp4").write_text("no video")
    rows = scan(tmp_path, "folder")
    (line,) = estimate(rows, PrepOptions(), 1, landmark_task.parent)
    assert re.search(r"none: of 1 clips tried not one is usable \(cannot read .*a\.mp4", line)
    (line,) = estimate(rows, PrepOptions(landmarks="fan"), 1, tmp_path)
    assert "before" in line
    assert "s3fd-619a316812.pth" in line


def test_a_dry_run_says_what_a_run_will_do(videos: Path, landmark_task: Path, tmp_path: Path):
    said = run_prep(videos, "--out", tmp_path / "out", "--dry-run", "--max-yaw", "30").stdout
    for part in ("clips      3, ", "split      ", "shards     2 to do", "stages     decode, ",
                 "limit      max yaw: 30", "workers    ", "estimate   ", " frames"):  # fmt: skip
        assert part in said, part
    assert not (tmp_path / "out").exists()
