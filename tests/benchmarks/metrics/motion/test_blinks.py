"""Blinks: the released rule on made-up eyes, and the truth of the demo's clips."""

import json

import numpy as np
import pytest

from benchmarks.metrics.motion.blinks import (
    blinks,
    eye_aspect_ratio,
    held,
    rate_and_duration,
)
from pipeline.media import read_frames
from pipeline.talkers.demo import make_demo
from pipeline.talkers.demo_options import DemoOptions
from pipeline.weights import find


def eyes(ear):
    """(68, 2) landmarks with eyes of that aspect ratio, the second one twice as large."""
    points = np.zeros((68, 2))
    for first, size in ((36, 1.0), (42, 2.0)):
        height = ear * 3 * size / 2
        across = np.array([0, 1, 2, 3, 2, 1]) * size
        points[first : first + 6, 0] = across
        points[first : first + 6, 1] = np.array([0, -1, -1, 0, 1, 1]) * height
    return points


def curve(*blink_frames, length=100, closed=0.05):
    """Open eyes with a little tremble, closed for two frames at each of the frames."""
    ear = 0.3 + 0.002 * np.sin(np.arange(length) * 2.1)
    for frame in blink_frames:
        ear[frame : frame + 2] = closed
    return ear


def test_aspect_ratio_is_height_over_width_of_both_eyes():
    landmarks = np.stack([eyes(ear) for ear in (0.3, 0.15, 0.0)])
    assert eye_aspect_ratio(landmarks) == pytest.approx([0.3, 0.15, 0.0])
    assert eye_aspect_ratio(landmarks * 7 + 40) == pytest.approx([0.3, 0.15, 0.0])


def test_each_blink_runs_from_top_to_top():
    ear = np.array([0.30, 0.31, 0.30, 0.2, 0.05, 0.1, 0.25, 0.32, 0.3, 0.31, 0.3, 0.3])
    # The steepest drop is from frame 3; the tops around it are frames 1 and 7.
    assert blinks(ear) == [(1, 7)]


def test_a_drop_from_a_top_begins_there():
    ear = np.array([0.30, 0.30, 0.33, 0.1, 0.1, 0.2, 0.33, 0.3, 0.3])
    assert blinks(ear) == [(2, 6)]


def test_a_blink_without_a_top_before_it_begins_with_the_clip():
    ear = np.array([0.34, 0.32, 0.2, 0.08, 0.2, 0.33, 0.3, 0.31])
    assert blinks(ear) == [(0, 5)]


def test_the_last_blink_may_end_with_the_clip_and_others_are_dropped():
    ear = np.concatenate([[0.3, 0.32], np.linspace(0.31, 0.05, 4), np.linspace(0.06, 0.07, 5)])
    assert blinks(ear) == [(1, len(ear) - 1)]
    # Two drops with no top above the middle between them: the first has no end.
    ear = np.array([0.3, 0.33, 0.32, 0.2, 0.15, 0.13, 0.14, 0.12, 0.03, 0.02, 0.2, 0.31, 0.3])
    assert blinks(ear) == [(1, 11)]


def test_small_or_crowded_drops_are_no_blinks():
    shallow = curve(20, closed=0.24)
    assert blinks(shallow) == []
    assert len(blinks(curve(20, 50, 80))) == 3
    assert len(blinks(curve(20, 23))) == 1  # three frames apart
    assert blinks(np.full(50, 0.3)) == []
    assert blinks(np.array([0.3, 0.1])) == []


def test_over_a_set_rate_counts_seconds_and_duration_is_a_median():
    rate, duration = rate_and_duration([[0.2, 0.4], [], [1.2]], [2.0, 3.0, 5.0])
    assert rate == pytest.approx(0.3)
    assert duration == pytest.approx(0.4)
    rate, duration = rate_and_duration([[]], [4.0])
    assert rate == 0
    assert np.isnan(duration)


def test_a_frame_without_a_face_repeats_the_one_before():
    landmarks = np.stack([eyes(0.1 * k) for k in range(5)])
    gaps = landmarks.copy()
    gaps[[0, 2, 3]] = np.nan
    assert np.array_equal(held(gaps), landmarks[[1, 1, 1, 1, 4]])
    assert held(np.full((3, 68, 2), np.nan)) is None


@pytest.mark.slow
@pytest.mark.skipif(
    find("pocketsphinx-5.1.1.tar.gz") is None, reason="needs the demo's speech recordings"
)
def test_the_blinks_of_the_demo_are_found(tmp_path, tracker):
    make_demo(tmp_path, DemoOptions(clips=2, people=1, size=256))
    truth = json.loads((tmp_path / "truth.json").read_text(encoding="utf-8"))["clips"]
    assert sum(len(clip["blinks"]) for clip in truth.values()) >= 1
    for name, clip in truth.items():
        points = tracker.track(read_frames(next(tmp_path.rglob(f"{name}.*")))).points
        found = blinks(eye_aspect_ratio(held(points)))
        middles = [(first + last) / 2 for first, last in clip["blinks"]]
        for middle in middles:
            assert any(start <= middle <= end for start, end in found), (name, middle)
        assert len(found) <= len(middles) + 1
