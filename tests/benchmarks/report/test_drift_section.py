"""What changes along a clip: the curves that score writes, and their place on the page."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from benchmarks.report.drift_section import drift_section, mean_curve
from benchmarks.scoring.score import score
from benchmarks.scoring.score_options import ScoreOptions
from pipeline.media import write_video


@pytest.fixture(scope="module")
def scores(face_frames, tmp_path_factory):
    """A face that gets softer frame by frame, and the same over too short a time."""
    folder = tmp_path_factory.mktemp("clips")
    for name, count in (("long", 55), ("short", 30)):
        real = [face_frames[min(k % 38, 38 - k % 38) % 20] for k in range(count)]
        fake = [cv2.GaussianBlur(frame, (0, 0), 0.3 + 0.04 * k) for k, frame in enumerate(real)]
        write_video(folder / "real" / f"{name}.mp4", real, crf=8)
        write_video(folder / "fake" / f"{name}.mp4", fake, crf=8)
    options = ScoreOptions(method="softer", metrics=("ssim", "psnr", "cpbd"), workers=1)
    return score(folder / "real", folder / "fake", options)


def test_score_writes_a_number_a_frame_of_clips_that_are_long_enough(scores):
    long, short = scores["clips"]
    assert short["curves"] == {}
    assert {name: len(curve) for name, curve in long["curves"].items()} == dict.fromkeys(
        ("drift_ssim", "drift_psnr", "drift_sharpness"), 55
    )
    for name in ("ssim", "psnr"):
        assert np.mean(long["curves"][f"drift_{name}"]) == pytest.approx(
            long["values"][name], abs=1e-4
        )
    for curve in long["curves"].values():
        assert np.mean(curve[-10:]) < 0.9 * np.mean(curve[:10])
    assert np.mean(long["curves"]["drift_sharpness"][:3]) == pytest.approx(1, abs=0.1)


def test_the_page_draws_them(scores):
    html = drift_section([scores])
    assert html.count("<figure>") == 3
    for text in ("SSIM of frame k", "PSNR of frame k, dB", "over the real clip&#x27;s", "2.2 s"):
        assert text in html
    scores = {**scores, "clips": scores["clips"][1:]}
    assert drift_section([scores]) == ""


def test_a_curve_is_the_mean_of_the_clips_that_still_run():
    curve = mean_curve([[1.0, 1.0, 1.0, 1.0], [3.0, 3.0], [2.0, 2.0, 5.0]])
    assert curve.tolist() == [2.0, 2.0, 3.0]
