"""Fakes of every wrong kind: each is named with its reason, and costs no other number."""

import numpy as np
import pytest

from benchmarks.metrics.motion.blinks import blinks, eye_aspect_ratio, held
from benchmarks.metrics.motion.ofm import ofm
from benchmarks.scoring.score import score
from benchmarks.scoring.score_options import ScoreOptions
from benchmarks.tables.paper_tables import build_table
from benchmarks.tables.scores_text import print_scores
from pipeline.media import Audio, read_frames, write_video

pytestmark = pytest.mark.slow

METRICS = ("ssim", "blinks_per_second", "blink_duration", "ofm", "lip_correlation", "lmd")
COUNT = 22


def loud(count=COUNT):
    return Audio(np.random.default_rng(0).normal(0, 2000, count * 640).astype(np.int16))


@pytest.fixture(scope="module")
def scores(face_frames, landmark_task, tmp_path_factory):
    """One clip of each kind; its name says what is wrong with the fake."""
    folder = tmp_path_factory.mktemp("clips")
    frames = [*face_frames, *face_frames[: COUNT - len(face_frames)]]  # (160, 160, 3) each
    black = [np.zeros_like(frames[0])] * COUNT
    small = [np.pad(frame[::2, ::2], ((0, 80), (80, 0), (0, 0))) for frame in frames]
    fakes = {
        "black": black,
        "elsewhere": small,
        "fine": frames,
        "long": [*frames, *black],
        "two": frames[:2],
    }
    for name, fake in fakes.items():
        write_video(folder / "real" / f"{name}.mkv", frames, audio=loud())
        write_video(folder / "fake" / f"{name}.mp4", fake, audio=loud(len(fake)), crf=20)
    silent = Audio(np.zeros(COUNT * 640, np.int16))
    write_video(folder / "real" / "silent.mkv", frames, audio=silent)
    write_video(folder / "fake" / "silent.mkv", frames, audio=silent)
    return score(folder / "real", folder / "fake", ScoreOptions(metrics=METRICS, workers=1))


def row(scores, name):
    return next(one for one in scores["clips"] if one["clip_id"] == name)


def test_nothing_is_wrong_with_a_fine_clip(scores):
    assert (row(scores, "fine")["warnings"], row(scores, "fine")["missing"]) == ([], {})


def test_a_fake_without_a_face_is_named_with_what_it_lacks(scores, capsys):
    black = row(scores, "black")
    assert set(black["missing"]) == set(METRICS) - {"ssim", "ofm"}
    warnings = " ".join(black["warnings"])
    for part in ("no Blinks/s, Blink dur. (s), Lip correlation", "black.mp4", "a face in 0%"):
        assert part in warnings
    assert scores["metrics"]["blinks_per_second"]["n"] == 4
    assert scores["metrics"]["blinks_per_second"]["n_real"] == 5  # all but the two-frame one
    print_scores(scores)
    assert "black: no Blinks/s" in capsys.readouterr().out
    assert "5 clips with warnings, the first, black:" in build_table("v2", [scores]).rows[-2].source


def test_of_a_longer_fake_only_the_shared_frames_count(scores, tracker):
    long = row(scores, "long")
    assert long["warnings"] == ["the fake has 44 frames, the real clip 22; both are cut to 22"]
    frames = list(read_frames(scores["sources"]["long"]["fake"]))[:COUNT]
    assert long["values"]["ofm"] == pytest.approx(ofm(frames)[0])
    found = blinks(eye_aspect_ratio(held(tracker.track(frames).points)))
    assert long["values"]["blinks_per_second"] == pytest.approx(len(found) / (COUNT / 25))


def test_of_a_longer_real_clip_too(scores):
    two = row(scores, "two")
    assert "both are cut to 2" in two["warnings"][0]
    real = list(read_frames(scores["sources"]["two"]["real"]))[:2]
    assert two["real_values"]["ofm"] == pytest.approx(ofm(real)[0])


def test_two_frames_do_not_count_as_no_blink(scores):
    two = row(scores, "two")
    assert "a blink takes 4 frames" in two["missing"]["blinks_per_second"]
    assert "blinks_per_second" not in two["values"]


def test_silence_is_called_silence(scores):
    assert "silent.mkv is silent" in row(scores, "silent")["missing"]["lip_correlation"]
    assert "lip_correlation" not in row(scores, "silent")["values"]


def test_a_face_that_lies_elsewhere_is_named(scores):
    (warning,) = row(scores, "elsewhere")["warnings"]
    assert "the face lies elsewhere" in warning
    assert "0.5 times as large" in warning


def test_a_copy_of_the_real_clip_is_named(scores):
    assert any("a copy of it" in text for text in row(scores, "silent")["warnings"])


def test_where_all_clips_fail_eyes_are_not_said_to_stay_open(tmp_path, landmark_task):
    write_video(tmp_path / "real" / "a.mp4", [np.zeros((64, 64, 3), np.uint8)] * 5)
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "a.mp4").write_bytes(b"no video")
    options = ScoreOptions(metrics=("blink_duration",), workers=1)
    found = score(tmp_path / "real", tmp_path / "fake", options)["metrics"]["blink_duration"]
    assert (found["mean"], found["n"]) == (None, 0)
    assert "no clip could be measured" in found["reason"]
