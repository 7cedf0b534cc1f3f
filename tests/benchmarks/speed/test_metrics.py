"""The tools that dh-bench is timed against give its numbers: both sides do the same work."""

import json

import pytest
import torch
from typer.testing import CliRunner

from benchmarks.networks.i3d import load_i3d
from benchmarks.scoring.score import score
from benchmarks.scoring.score_options import ScoreOptions
from benchmarks.speed import metrics
from benchmarks.speed.metrics import TOOLS, plain_i3d
from pipeline.media import write_video


@pytest.fixture
def folders(face_frames, tmp_path):
    for name, frames in (("a", face_frames[:8]), ("b", face_frames[8:16])):
        write_video(tmp_path / "real" / f"{name}.mp4", frames, crf=12)
        write_video(tmp_path / "fake" / f"{name}.mp4", frames, crf=38)
    return tmp_path / "real", tmp_path / "fake"


@pytest.mark.slow
def test_both_sides_give_the_same_numbers(folders):
    scores = score(*folders, ScoreOptions(metrics=("ssim", "psnr", "ofm"), workers=1))
    means = {name: row["mean"] for name, row in scores["metrics"].items()}
    # OpenCV's decoder and ours round the colours of a pixel apart by one level at most.
    found = {name: TOOLS[name][0](*folders, 8) for name in ("ssim", "psnr", "smoothness")}
    assert found["ssim"] == pytest.approx(means["ssim"], abs=2e-3)
    assert found["psnr"] == pytest.approx(means["psnr"], abs=0.1)
    assert found["smoothness"] == pytest.approx(means["ofm"], rel=0.01)


def test_a_tool_is_a_command_that_prints_its_number(folders):
    done = CliRunner().invoke(metrics.app, ["tool", "psnr", *map(str, folders), "8"])
    assert json.loads(done.stdout) == pytest.approx(TOOLS["psnr"][0](*folders, 8))


@pytest.mark.slow
def test_the_i3d_that_is_timed_against_gives_the_logits_of_ours(i3d_path):
    window = torch.rand(1, 3, 16, 224, 224, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        expected = plain_i3d(i3d_path)(window)
        found = load_i3d(i3d_path)(window)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
