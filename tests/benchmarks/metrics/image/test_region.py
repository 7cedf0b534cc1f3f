"""The box of a region in every frame, by hand, and what scoring makes of it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from benchmarks.metrics.image.region import region_boxes
from benchmarks.scoring.score import score
from benchmarks.scoring.score_options import ScoreOptions
from benchmarks.tables.check import problems_of
from benchmarks.tables.paper_tables import build_table
from pipeline.media import read_frames, write_video
from tests.datasets import write_talker


def test_a_box_is_around_its_landmarks_and_inside_the_frame():
    points = np.full((2, 68, 2), 40.0)
    points[0, 0], points[0, 50], points[0, 60] = (10.5, 20.5), (60.2, 70.2), (50, 60)
    boxes = region_boxes(points, "mouth", (128, 96))  # a margin of 4 pixels
    assert boxes.tolist() == [[36, 36, 65, 75], [36, 36, 44, 44]]
    assert region_boxes(points, "face", (128, 96))[0].tolist() == [6, 16, 65, 75]
    assert region_boxes(points, "face", (62, 72))[0].tolist() == [8, 18, 62, 72]
    with pytest.raises(ValueError, match="the mouth of the real clip is outside"):
        region_boxes(points - 60, "mouth", (128, 96))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """A real clip, and its fake whose pictures are black outside the middle."""
    folder = tmp_path_factory.mktemp("region")
    write_talker(folder / "real" / "ada.mp4", 6)
    frames = list(read_frames(folder / "real" / "ada.mp4"))
    write_video(folder / "fake" / "ada.mp4", [frame // 2 for frame in frames])
    return folder / "real", folder / "fake"


def test_psnr_of_a_region_is_that_of_the_crop(folders, landmark_task, tracker):
    options = ScoreOptions(metrics=("ssim", "psnr", "mse"), workers=1, region="mouth")
    scores = score(*folders, options)
    real, fake = (list(read_frames(folder / "ada.mp4")) for folder in folders)
    size = real[0].shape[1::-1]
    boxes = region_boxes(tracker.track(real).points, "mouth", size)
    crops = [(slice(y0, y1), slice(x0, x1)) for x0, y0, x1, y1 in boxes]
    assert boxes[0, 2] - boxes[0, 0] < size[0] / 2
    expected = np.mean(
        [peak_signal_noise_ratio(x[c], y[c]) for x, y, c in zip(real, fake, crops, strict=True)]
    )
    row = scores["metrics"]["psnr"]
    assert row["mean"] == pytest.approx(expected, abs=1e-9)
    assert row["protocol"].startswith("psnr_mouth_n1: from the mean squared error")
    assert "around landmarks 48..67" in row["protocol"]
    assert list(scores["weights"]) == ["face_landmarker.task"]
    assert problems_of(json.loads(json.dumps(scores))) == []
    of_frames = score(*folders, replace(options, region="frame"))
    assert of_frames["metrics"]["psnr"]["mean"] != pytest.approx(expected, abs=0.01)
    # The paper's column is of whole frames.
    table = build_table("v1", [scores, of_frames])
    cells = [row.cells[-1].text for row in table.rows if row.mark]
    assert (cells[0], cells[1] == "-") == ("-", False)
