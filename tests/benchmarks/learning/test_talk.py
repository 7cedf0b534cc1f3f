"""Measures of a model that talks: openings, correlations, distances, curves."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from scipy.stats import pearsonr

from benchmarks.learning.talk import (
    Generated,
    correlation,
    draw_curves,
    likeness,
    measure,
    opening,
    summary,
)
from pipeline.dataset.shards import read_samples
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media.image import resize


def test_opening_is_the_mean_gap_of_the_inner_lips():
    points = np.zeros((2, 68, 2))
    points[1, [61, 62, 63]] = [[0, 0], [5, 0], [9, 1]]
    points[1, [67, 66, 65]] = [[0, 3], [5, 6], [9, 1]]
    assert opening(points).tolist() == [0, 3]


def test_correlation_is_pearsons_over_what_is_known():
    rng = np.random.default_rng(0)
    a = rng.normal(size=40)
    b = a + rng.normal(size=40)
    assert correlation(a, b) == pytest.approx(pearsonr(a, b).statistic)
    assert correlation(a, b[:30]) == pytest.approx(pearsonr(a[:30], b[:30]).statistic)
    c = a.copy()
    c[5:9] = np.nan
    kept = np.r_[0:5, 9:40]
    assert correlation(c, b) == pytest.approx(pearsonr(a[kept], b[kept]).statistic)
    assert correlation(np.full(40, np.nan), b) == 0
    assert correlation(np.ones(40), b) == 0


@pytest.fixture(scope="module")
def real(talking_set: Path) -> Generated:
    """A real clip as if generated perfectly; with another speech it would stand still."""
    sample = next(read_samples(talking_set))
    frames = sample.frames.stack()
    still = np.repeat(frames[:1], len(frames), axis=0)
    landmarks = sample.landmarks.astype(float) * 256 / sample.meta["image_size"]
    return Generated(sample.key, frames, frames, still, landmarks)


@pytest.fixture(scope="module")
def measured(real: Generated, tracker: MediaPipeTracker) -> dict[str, Any]:
    return measure(real, tracker)


def test_the_real_clip_itself_talks_best(real: Generated, measured: dict[str, Any]):
    row = measured
    assert row["r_own"] > 0.8
    assert abs(row["r_other"]) < 0.3  # its landmarks only tremble
    assert row["mouth_distance"] < row["mouth_distance_frozen"]
    assert (row["ssim"], row["faces_missed"]) == (1, 0)
    assert len(row["opening_real"]) == len(row["opening_drawn"]) == len(real.own)


def test_frames_without_a_face_are_counted(real: Generated, tracker: MediaPipeTracker):
    noise = np.random.default_rng(0).integers(0, 256, (9, 64, 64, 3), dtype=np.uint8)
    frames = np.stack([resize(frame, (64, 64)) for frame in real.real[:9]])
    row = measure(Generated("noise", frames, noise, noise, real.landmarks[:9]), tracker)
    assert (row["faces_missed"], row["r_own"]) == (9, 0)
    assert row["mouth_distance"] is None
    cells = {name: value for name, value, _ in summary([row])}
    assert cells["(a) r of lip opening, own speech"] == "0.000"


def test_likeness_is_to_the_first_real_frame(real: Generated):
    white = Generated("white", real.real, np.full_like(real.real, 255), real.other, real.landmarks)

    def embedder(frame: np.ndarray, _landmarks: np.ndarray) -> np.ndarray:
        return np.array([0.6, 0.8] if (frame == 255).all() else [2.0, 0.0])

    found = likeness(white, real.landmarks, embedder)
    assert found == {"csim": pytest.approx(0.6), "csim_real": pytest.approx(1)}


def test_the_curves_are_a_picture_with_a_line_for_each(measured: dict[str, Any], tmp_path: Path):
    draw_curves([measured, {**measured, "key": "a & b"}], tmp_path / "lips.svg")
    drawing = ET.parse(tmp_path / "lips.svg")
    svg = "{http://www.w3.org/2000/svg}"
    lines = [g.get("id") for g in drawing.iter(f"{svg}g") if "line2d" in g.get("id", "")]
    assert len(lines) == 4 + 2  # two clips, and the legend
