"""One pass over real clips: every metric, each video read once, resumed, in several processes."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import video
from benchmarks.metrics.catalogue import METRICS
from benchmarks.metrics.ofm import ofm
from benchmarks.options import ScoreOptions
from benchmarks.results import read_scores
from benchmarks.score import score
from benchmarks.scorer import _in_order
from pipeline.errors import UserError
from pipeline.files import write_json
from pipeline.media import read_audio, read_frames, write_video

CLIPS = ("1033_IOM_NEU_XX", "1062_DFA_HAP_XX", "1089_IEO_ANG_LO")
WITHOUT_NETWORKS = tuple(
    name
    for name in METRICS
    if name not in {"fid", "fvd", "csim", "av_offset", "av_confidence", "lse_c", "lse_d"}
)


@pytest.fixture(scope="module")
def folders(shared_data, landmark_task, tmp_path_factory):
    """Three outputs of the authors as real clips; worse encodings of them, two mute, as fakes."""
    base = tmp_path_factory.mktemp("clips")
    for number, name in enumerate(CLIPS):
        source = shared_data / "diffused_heads_outputs" / f"{name}.mp4"
        (base / "real").mkdir(exist_ok=True)
        (base / "real" / source.name).symlink_to(source)
        (base / "real" / f"{name}.txt").write_text("bin blue at f two now")
        frames = list(read_frames(source))[:22]
        sound = read_audio(source) if number == 0 else None
        write_video(base / "fake" / source.name, frames, audio=sound, crf=30)
    return base / "real", base / "fake"


@pytest.fixture
def options(tmp_path):
    return ScoreOptions(max_frames=22, metrics=WITHOUT_NETWORKS, workers=1, cache=tmp_path)


def test_every_metric_is_measured_or_says_why(folders, options, tmp_path):
    real, fake = folders
    scores = score(real, fake, options, read_lips=lambda _: "bin blue by f now")
    assert tuple(scores["metrics"]) == WITHOUT_NETWORKS
    for name, row in scores["metrics"].items():
        assert row["label"] == METRICS[name].label
        assert (row["mean"] is None) == bool(row["reason"]), name
        assert row["protocol"].startswith(METRICS[name].full_name(row["n"]) + ": ")
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
    # A mute fake is measured against the real clip's sound, which it imitates.
    second = scores["clips"][1]
    assert "lip_lag" in second["values"]
    assert np.corrcoef(second["curves"]["energy"], second["curves"]["lips_real"]).shape == (2, 2)
    assert scores["sources"][CLIPS[0]] == {
        "real": str(real / f"{CLIPS[0]}.mp4"),
        "fake": str(fake / f"{CLIPS[0]}.mp4"),
    }
    write_json(tmp_path / "scores.json", scores)
    assert read_scores(tmp_path / "scores.json") == scores


def test_what_was_measured_is_not_measured_again(folders, options, monkeypatch):
    options = replace(options, metrics=("psnr", "f_mse", "lmd", "lip_lag", "cpbd"))
    first = score(*folders, options)

    def refuse(*_):
        raise AssertionError("a video was decoded that is in the cache")

    monkeypatch.setattr(video, "read_frames", refuse)
    monkeypatch.setattr("benchmarks.clips.read_frames", refuse)
    assert score(*folders, options) == first
    # Other options find nothing there.
    with pytest.raises(AssertionError, match="was decoded"):
        score(*folders, replace(options, max_frames=20))


def test_a_video_is_decoded_once(folders, options, monkeypatch):
    opened = []

    def counted(path, **more):
        opened.append(path)
        return read_frames(path, **more)

    monkeypatch.setattr(video, "read_frames", counted)
    monkeypatch.setattr("benchmarks.clips.read_frames", counted)
    score(*folders, replace(options, metrics=("ssim", "ofm", "lmd", "lip_lag", "cpbd")))
    assert len(opened) == len(set(opened)) == 6


def test_an_interrupted_run_goes_on_where_it_stopped(folders, options, monkeypatch):
    options = replace(options, metrics=("ssim", "ofm", "lmd"))
    whole = score(*folders, replace(options, cache=options.cache / "other"))

    def stopping(path, **more):
        if CLIPS[2] in str(path):
            raise KeyboardInterrupt
        return read_frames(path, **more)

    with monkeypatch.context() as broken:
        broken.setattr("benchmarks.clips.read_frames", stopping)
        with pytest.raises(KeyboardInterrupt):
            score(*folders, options)
    opened = []

    def counted(path, **more):
        opened.append(path)
        return read_frames(path, **more)

    monkeypatch.setattr("benchmarks.clips.read_frames", counted)
    resumed = score(*folders, options)
    assert [path.stem for path in opened] == [CLIPS[2]]
    assert resumed["metrics"] == whole["metrics"]


@pytest.mark.slow
def test_two_processes_give_what_one_gives(folders, options):
    metrics = ("ssim", "ofm", "blinks_per_second", "lip_lag")
    one = score(*folders, replace(options, metrics=metrics))
    two = score(*folders, replace(options, metrics=metrics, workers=2, cache=options.cache / "two"))
    one["options"], two["options"] = {}, {}
    assert json.dumps(one) == json.dumps(two)


@pytest.mark.slow
def test_fid_and_fvd_come_out_of_the_same_pass(folders, options, inception_path, i3d_path):
    scores = score(*folders, replace(options, metrics=("fid", "fvd"), precision="bf16"))
    fid, fvd = scores["metrics"]["fid"], scores["metrics"]["fvd"]
    assert fid["protocol"].startswith("fid_allframes_n3: ")
    assert fvd["protocol"].startswith("fvd_16f_n3: ")
    assert all("bfloat16" in row["protocol"] for row in (fid, fvd))
    assert 0 < fid["mean"] < 200
    assert fvd["mean"] > 0
    assert set(scores["weights"]) == {"inception-2015.pt", "i3d-kinetics-400.ckpt"}


def test_absent_weights_leave_a_reason_and_no_number(folders, options, monkeypatch):
    def absent(name, weights_dir):
        raise UserError(f"cannot fetch {name}: put it into a folder and name it with --weights-dir")

    monkeypatch.setattr("benchmarks.networks.locate", absent)
    names = ("ssim", "fid", "fvd", "csim", "av_offset", "lse_d", "blinks_per_second", "lmd")
    scores = score(*folders, replace(options, metrics=names))
    assert scores["metrics"]["ssim"]["mean"] is not None
    for name in names[1:]:
        row = scores["metrics"][name]
        assert (row["mean"], row["ci95"], row["real"], row["n"]) == (None, None, None, 0)
        assert "--weights-dir" in row["reason"]
    assert scores["weights"] == {}
    assert all(row["status"] == "ok" for row in scores["clips"])


class Actor:
    """What it is asked for is (itself, the job)."""

    def __init__(self):
        self.score = self

    def remote(self, job):
        return self, job


class MadeUpRay:
    """Ray with one processor: ends what runs in any order, and notes how much waits."""

    def __init__(self, seed):
        self.rng = np.random.default_rng(seed)
        self.most = 0

    def wait(self, running, num_returns):
        assert num_returns == 1
        self.most = max(self.most, len(running))
        assert all(len([r for r in running if r[0] is actor]) <= 2 for actor, _ in running)
        return [running[self.rng.integers(len(running))]], []

    def get(self, ready):
        return [f"{ready[1]}a", f"{ready[1]}b"]


@pytest.mark.parametrize("count", [0, 1, 5, 300])
def test_results_come_in_order_whichever_ends_first(count):
    ray = MadeUpRay(count)
    found = list(_in_order(ray, [Actor() for _ in range(3)], range(count)))
    assert found == [f"{job}{part}" for job in range(count) for part in "ab"]
    assert ray.most == min(6, count)


def test_no_job_begins_far_ahead_of_one_that_does_not_end():
    class Stuck(MadeUpRay):
        def wait(self, running, num_returns):
            assert num_returns == 1
            later = [ref for ref in running if ref[1] != 0]
            self.last = max(self.last, *(ref[1] for ref in running))
            return [later[0] if later else running[0]], []

    ray = Stuck(0)
    ray.last = 0
    first = next(_in_order(ray, [Actor(), Actor()], range(1000)))
    assert first == "0a"
    assert ray.last == 31  # 16 jobs for each actor


def test_an_unknown_metric_is_named(folders, options):
    with pytest.raises(UserError, match="no metric is called 'fidd'; there are ssim, psnr, fid"):
        score(*folders, replace(options, metrics=("fidd",)))
