"""The tools that dh-bench is timed against give its numbers: both sides do the same work."""

from __future__ import annotations

import pytest

from benchmarks.options import ScoreOptions
from benchmarks.score import score
from benchmarks.speed.bench import timed
from benchmarks.speed.tools import psnr, smoothness, ssim
from pipeline.media import write_video


@pytest.fixture
def folders(face_frames, tmp_path):
    for name, frames in (("a", face_frames[:8]), ("b", face_frames[8:16])):
        write_video(tmp_path / "real" / f"{name}.mp4", frames, crf=12)
        write_video(tmp_path / "fake" / f"{name}.mp4", frames, crf=38)
    return tmp_path / "real", tmp_path / "fake"


def test_both_sides_give_the_same_numbers(folders):
    scores = score(*folders, ScoreOptions(metrics=("ssim", "psnr", "ofm"), workers=1))
    means = {name: row["mean"] for name, row in scores["metrics"].items()}
    # OpenCV's decoder and ours round the colours of a pixel apart by one level at most.
    assert ssim(*folders, 8) == pytest.approx(means["ssim"], abs=2e-3)
    assert psnr(*folders, 8) == pytest.approx(means["psnr"], abs=0.1)
    assert smoothness(*folders, 8) == pytest.approx(means["ofm"], rel=0.01)


def test_a_tool_that_fails_ends_the_measurement():
    assert timed(["echo", "3.5"])[2] == "3.5\n"
    with pytest.raises(SystemExit, match="failed"):
        timed(["false"])
