"""One pass over real clips: every metric, each video read once, resumed, from the cache."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.metrics.catalogue import METRICS
from benchmarks.metrics.motion.ofm import ofm
from benchmarks.scoring.results import read_scores
from benchmarks.scoring.score import score
from benchmarks.scoring.score_options import ScoreOptions
from benchmarks.tables.check import problems_of
from pipeline.errors import UserError
from pipeline.files import write_json
from pipeline.media import read_frames
from tests.benchmarks.score_inputs import OUTPUTS as CLIPS
from tests.benchmarks.score_inputs import WITHOUT_NETWORKS, write_outputs


@pytest.fixture(scope="module")
def folders(shared_data, landmark_task, tmp_path_factory):
    return write_outputs(shared_data, tmp_path_factory.mktemp("clips"))


@pytest.fixture
def options(tmp_path):
    return ScoreOptions(max_frames=22, metrics=WITHOUT_NETWORKS, workers=1, cache=tmp_path)


@pytest.mark.slow
def test_every_metric_is_measured_or_says_why(folders, options, tmp_path):
    real, fake = folders
    scores = score(real, fake, options, read_lips=lambda _: "bin blue by f now")
    assert tuple(scores["metrics"]) == WITHOUT_NETWORKS
    for name, row in scores["metrics"].items():
        assert row["label"] == METRICS[name].label
        assert (row["mean"] is None) == bool(row["reason"]), name
        kind = "" if name.startswith("sync_") else METRICS[name].full_name(row["n"]) + ": "
        assert row["protocol"].startswith(kind or f"{name}_fit3real_n3: ")
    assert scores["metrics"]["wer"]["mean"] == pytest.approx(2 / 6)  # "by" for "at", "two" left out
    assert scores["metrics"]["lmd"]["mean"] < 0.6  # the same face, worse encoded
    assert scores["metrics"]["blinks_per_second"]["real"] is not None
    assert list(scores["weights"]) == ["face_landmarker.task"]
    first = scores["clips"][0]
    frames = list(read_frames(fake / f"{CLIPS[0]}.mp4"))
    assert first["values"]["ofm"] == pytest.approx(ofm(frames)[0])
    assert {name: len(curve) for name, curve in first["curves"].items()} == dict.fromkeys(
        ("lips_real", "lips_fake", "energy"), 22
    )
    # A mute fake is measured against the real clip's sound; the protocol says so.
    mute = "a fake without sound against the real clip's"
    assert all(
        mute in scores["metrics"][f"lip_{name}"]["protocol"] for name in ("lag", "correlation")
    )
    assert all(mute in METRICS[name].protocol for name in ("av_offset", "av_confidence", "lse_d"))
    second = scores["clips"][1]
    assert "lip_lag" in second["values"]
    assert np.corrcoef(second["curves"]["energy"], second["curves"]["lips_real"]).shape == (2, 2)
    assert scores["sources"][CLIPS[0]] == {
        "real": str(real / f"{CLIPS[0]}.mp4"),
        "fake": str(fake / f"{CLIPS[0]}.mp4"),
    }
    write_json(tmp_path / "scores.json", scores)
    assert read_scores(tmp_path / "scores.json") == scores
    assert problems_of(scores) == []


@pytest.mark.slow
def test_what_was_measured_is_not_measured_again(folders, options, monkeypatch):
    options = replace(options, metrics=("psnr", "f_mse", "lmd", "lip_lag", "cpbd"))
    first = score(*folders, options)

    def refuse(*_):
        raise AssertionError("a video was decoded that is in the cache")

    monkeypatch.setattr("benchmarks.clips.decoded_video.read_frames", refuse)
    assert score(*folders, options) == first
    # Other options find nothing there.
    rows = score(*folders, replace(options, max_frames=20))["clips"]
    assert all("a video was decoded" in row["reason"] for row in rows)


@pytest.mark.slow
def test_a_video_is_decoded_once(folders, options, monkeypatch):
    opened = []

    def counted(path, **more):
        opened.append(path)
        return read_frames(path, **more)

    monkeypatch.setattr("benchmarks.clips.decoded_video.read_frames", counted)
    score(*folders, replace(options, metrics=("ssim", "ofm", "lmd", "lip_lag", "cpbd")))
    assert len(opened) == len(set(opened)) == 6


@pytest.mark.slow
def test_an_interrupted_run_goes_on_where_it_stopped(folders, options, monkeypatch):
    options = replace(options, metrics=("ssim", "ofm", "lmd"))
    whole = score(*folders, replace(options, cache=options.cache / "other"))

    def stopping(path, **more):
        if CLIPS[2] in str(path):
            raise KeyboardInterrupt
        return read_frames(path, **more)

    with monkeypatch.context() as broken:
        broken.setattr("benchmarks.clips.decoded_video.read_frames", stopping)
        with pytest.raises(KeyboardInterrupt):
            score(*folders, options)
    opened = []

    def counted(path, **more):
        opened.append(path)
        return read_frames(path, **more)

    monkeypatch.setattr("benchmarks.clips.decoded_video.read_frames", counted)
    resumed = score(*folders, options)
    assert [path.stem for path in opened] == [CLIPS[2]] * 2  # the real one and the fake
    assert resumed["metrics"] == whole["metrics"]


@pytest.mark.slow
def test_absent_weights_leave_a_reason_and_no_number(folders, options, monkeypatch):
    def absent(name, weights_dir):
        raise UserError(f"cannot fetch {name}: put it into a folder and name it with --weights-dir")

    monkeypatch.setattr("benchmarks.scoring.pretrained.locate", absent)
    monkeypatch.setattr("benchmarks.scoring.pretrained.import_dlib", lambda: None)  # here or not
    names = ("ssim", "fid", "fvd", "csim", "av_offset", "lse_d", "blinks_per_second", "lmd")
    scores = score(*folders, replace(options, metrics=names))
    assert scores["metrics"]["ssim"]["mean"] is not None
    for name in names[1:]:
        row = scores["metrics"][name]
        assert (row["mean"], row["ci95"], row["real"], row["n"]) == (None, None, None, 0)
        assert "--weights-dir" in row["reason"]
    assert scores["weights"] == {}
    assert all(row["status"] == "ok" for row in scores["clips"])


def test_an_unknown_metric_is_named(folders, options):
    with pytest.raises(UserError, match="no metric is called 'fidd'; there are ssim, psnr, lpips"):
        score(*folders, replace(options, metrics=("fidd",)))
