"""The tools that dh-bench is timed against give its numbers: both sides do the same work."""

from __future__ import annotations

import sys

import pytest
import torch

from benchmarks.networks.i3d import load_i3d, read_arrays
from benchmarks.scoring.score import score
from benchmarks.scoring.score_options import ScoreOptions
from benchmarks.speed import bench
from benchmarks.speed.bench import timed
from benchmarks.speed.plain_i3d import PlainI3D
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


def test_the_i3d_that_is_timed_against_gives_the_logits_of_ours(i3d_path):
    window = torch.rand(1, 3, 16, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    plain = PlainI3D(read_arrays(i3d_path)).eval()
    with torch.inference_mode():
        wanted, found = plain(window), load_i3d(i3d_path)(window)
    assert (found - wanted).abs().max() < 1e-5 * wanted.abs().max()


def test_processor_time_is_that_of_all_below_a_command(tmp_path, monkeypatch):
    """Of a grandchild's too, which outlives its parent and is waited for by none of ours."""
    seen = tmp_path / "seen"

    def noting(process):
        used = processor_seconds(process)
        if used > 1.2:  # the grandchild alone takes so much
            seen.touch()
        return used

    processor_seconds = bench._processor_seconds
    monkeypatch.setattr(bench, "_processor_seconds", noting)
    work = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
    script = (
        "import os, subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {work!r}])\n"
        "begin = time.monotonic()\n"
        f"while not os.path.exists({str(seen)!r}) and time.monotonic() < begin + 300:\n"
        "    time.sleep(0.1)\n"
        "print(time.monotonic() - begin)"
    )
    seconds, used, printed = timed([sys.executable, "-c", script])
    assert seen.exists()
    assert used > 1.2
    assert seconds > float(printed)


def test_a_tool_that_fails_ends_the_measurement():
    assert timed(["echo", "3.5"])[2] == "3.5\n"
    with pytest.raises(SystemExit, match="failed"):
        timed(["false"])
