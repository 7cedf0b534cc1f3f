"""What the page shows of metrics and of what changes along a clip."""

import cv2
import numpy as np
import pytest

from benchmarks.report.cards import drift_figures, mean_curve, metric_cards
from benchmarks.scoring.score import score
from benchmarks.scoring.score_options import ScoreOptions
from pipeline.media import write_video
from tests.benchmarks.made_up import made_up_scores


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
    found = drift_figures([scores])
    assert [title for title, _ in found] == [
        "SSIM of frame k",
        "PSNR of frame k, dB",
        "Sharpness of the face over the real clip's",
    ]
    assert all("2.2 s" in plot for _, plot in found)
    assert drift_figures([{**scores, "clips": scores["clips"][1:]}]) == []


def test_a_curve_is_the_mean_of_the_clips_that_still_run():
    curve = mean_curve([[1.0, 1.0, 1.0, 1.0], [3.0, 3.0], [2.0, 2.0, 5.0]])
    assert curve.tolist() == [2.0, 2.0, 3.0]


def test_a_number_of_the_set_is_drawn_beside_a_real_one_of_zero():
    """A lag of the real clips is most often 0: a value like any other."""
    scores = made_up_scores()
    row = scores["metrics"]["fid"]
    scores["metrics"] = {"lip_lag": {**row, "label": "Lip lag", "direction": "closer"}}
    assert metric_cards([scores])["cards"][0]["plot"] == ""  # one dot on an axis of its own
    scores["metrics"]["lip_lag"]["real"] = 0.0
    (card,) = metric_cards([scores])["cards"]
    assert "var(--real," in card["plot"]
    assert card["real"] == 0.0
