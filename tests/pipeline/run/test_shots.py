"""Clips that are split into shots, and limits on what is measured of them."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.dataset.limits import Limits
from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.sample import problems
from pipeline.media import read_audio
from pipeline.run.clip import Clip, Stage
from pipeline.run.prepare_clip import prepare_clip
from pipeline.sources.manifest import ManifestRow
from tests.pipeline.filmed import EMPTY, prepared, write_filmed


def _two_shots(folder: Path, face: np.ndarray) -> Path:
    """A face for 20 frames, away for 10, back for 15."""
    return write_filmed(folder / "a.mp4", [face] * 20 + [EMPTY] * 10 + [face] * 15)


def test_a_clip_can_be_split_into_a_sample_for_each_stretch(
    stages: list[Stage], face: np.ndarray, tmp_path: Path
):
    path = _two_shots(tmp_path, face)
    row = ManifestRow("key", str(path), "a.mp4", "s")
    outcome = prepare_clip(row, PrepOptions(cuts="split"), stages)
    assert [sample.key for sample in outcome.samples] == ["key--1", "key--2"]
    assert [r["clip_id"] for r in outcome.rows] == ["key--1", "key--2"]
    assert {r["manifest_id"] for r in outcome.rows} == {"key"}
    sound = read_audio(path).samples
    for sample, (begin, end) in zip(outcome.samples, [(0, 20), (30, 45)], strict=True):
        assert problems(sample) == []
        assert sample.meta["kept_seconds"] == [begin / 25, end / 25]
        assert np.array_equal(sample.audio, sound[begin * 640 : end * 640])
    # The whole clip was decoded and searched once.
    assert "seconds_decode" in outcome.rows[0]
    assert "seconds_decode" not in outcome.rows[1]
    # The longest stretch alone is what split gives for it, but for its name.
    longest = prepared(path, stages).sample
    assert longest is not None
    assert bytes(longest.frames.data) == bytes(outcome.samples[0].frames.data)


def test_a_stretch_that_is_too_short_is_a_row_of_its_own(
    stages: list[Stage], face: np.ndarray, tmp_path: Path
):
    options = PrepOptions(cuts="split", limits=Limits(min_seconds=0.7))
    row = ManifestRow("key", str(_two_shots(tmp_path, face)), "a.mp4")
    outcome = prepare_clip(row, options, stages)
    assert [(r["clip_id"], r["status"]) for r in outcome.rows] == [
        ("key--1", "ok"),
        ("key--2", "skipped"),
    ]
    assert outcome.rows[1]["reason"] == "clip_seconds 0.6 fails clip_seconds >= 0.7"
    assert [sample.key for sample in outcome.samples] == ["key--1"]


def test_a_limit_ends_a_clip_at_the_stage_that_measures_it(stages: list[Stage], shared_data: Path):
    path = shared_data / "clips" / "crema_1001_DFA_ANG_XX.mkv"
    for limits, stage in (
        (Limits(min_face=150), "landmarks"),
        (Limits(keep="loudness >= -1"), "speech"),
        (Limits(keep="sharpness >= 1e9"), "align"),
    ):
        row = prepared(path, stages, end=0.5, limits=limits).row
        assert (row["status"], row["stage"]) == ("skipped", stage)
        assert row["eye_distance"] == pytest.approx(109, rel=0.1)  # what is known is told


def test_one_shot_that_fails_fails_the_clip(stages: list[Stage], face: np.ndarray, tmp_path: Path):
    def breaks(clip: Clip) -> Clip:
        if clip.shot == 2:
            raise ZeroDivisionError
        return clip

    row = ManifestRow("key", str(_two_shots(tmp_path, face)), "a.mp4")
    outcome = prepare_clip(row, PrepOptions(cuts="split"), [*stages, breaks])
    assert outcome.samples == []
    assert [(r["clip_id"], r["status"], r["stage"]) for r in outcome.rows] == [
        ("key", "failed", "breaks")
    ]
