"""Statistics of real clips kept in a file, against NumPy, and what others' files hold."""

import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from benchmarks.clips.cache import MeasurementCache
from benchmarks.metrics.distribution.kid import kid
from benchmarks.scoring.clip_videos import NETWORK_FEATURES
from benchmarks.scoring.pretrained import Networks
from benchmarks.scoring.reference import make_reference, read_reference
from benchmarks.scoring.results import plain_protocol
from benchmarks.scoring.score import score
from benchmarks.scoring.score_options import FeatureOptions, ScoreOptions
from pipeline.errors import UserError
from pipeline.media import read_frames, write_video
from pipeline.weights import FILES
from tests.benchmarks.score_inputs import moving

SIZES = {"fid": 2048, "fvd": 400}
WEIGHTS = {"fid": "inception-2015.pt", "fvd": "i3d-kinetics-400.ckpt"}


def made_features(name, frames, window=1):
    """Stands in for a network: what it gives depends on the frames and on nothing else."""
    windows = frames if name == "fid" else frames[:: len(frames)]
    windows = windows if len(frames) >= window else []
    seeds = [int(np.asarray(window, np.int64).sum()) for window in windows]
    rows = [np.random.default_rng(seed).normal(size=SIZES[name]) for seed in seeds]
    return np.array(rows, np.float32).reshape(-1, SIZES[name])


def extracted(name, network, frames, window=1):
    assert network is None
    return made_features(name, frames, 1 if window == 16 else window)


@pytest.fixture
def networks(monkeypatch, tmp_path):
    """Networks that compute nothing; only the sums over their features are looked at here."""
    for name, weights in WEIGHTS.items():
        extract = partial(extracted, name)
        monkeypatch.setitem(NETWORK_FEATURES, name, (weights, extract))
    monkeypatch.setattr(Networks, "_load", lambda *_: None)
    monkeypatch.setattr("benchmarks.scoring.pretrained.locate", lambda name, _: tmp_path / name)


@pytest.fixture
def folders(tmp_path):
    for index, name in enumerate(("one", "two", "three")):
        write_video(tmp_path / "real" / f"{name}.mkv", moving(index), crf=5)
        write_video(tmp_path / "fake" / f"{name}.mp4", moving(index + 9), crf=20)
    return tmp_path / "real", tmp_path / "fake"


def features(folder, name):
    clips = [list(read_frames(path)) for path in sorted(folder.iterdir())]
    return np.concatenate([made_features(name, frames) for frames in clips]).astype(np.float64)


def distance(x, y):
    """Of two sets of vectors: the trace of the root is a nuclear norm, as 2048 x 2048 is slow."""
    a, b = ((z - z.mean(0)) / np.sqrt(len(z) - 1) for z in (x, y))
    step = x.mean(0) - y.mean(0)
    return step @ step + (a**2).sum() + (b**2).sum() - 2 * np.linalg.norm(a @ b.T, "nuc")


OPTIONS = ScoreOptions(metrics=("fid", "fvd"), workers=1)


@pytest.mark.slow
def test_the_file_holds_mean_and_covariance_as_numpy_has_them(networks, folders, tmp_path):
    out = tmp_path / "ref.npz"
    assert make_reference(folders[0], out, ("fid", "fvd"), FeatureOptions(dataset="GRID")) == {}
    # As pytorch-fid and programs that follow it read statistics.
    with np.load(out) as archive:
        for name, keys in (("fid", ("mu", "sigma")), ("fvd", ("fvd_mu", "fvd_sigma"))):
            x = features(folders[0], name)
            np.testing.assert_allclose(archive[keys[0]], x.mean(0), atol=1e-12)
            np.testing.assert_allclose(archive[keys[1]], np.cov(x, rowvar=False), atol=1e-12)
        about = json.loads(str(archive["about"]))
    assert (about["clips"], about["vectors"]) == (3, {"fid": 18, "fvd": 3})
    assert about["weights"] == {name: FILES[name].sha256 for name in WEIGHTS.values()}
    assert (about["dataset"], about["max_frames"], about["precision"]) == ("GRID", 100, "float32")
    again = tmp_path / "again.npz"
    make_reference(folders[0], again, ("fid", "fvd"), FeatureOptions(dataset="GRID"))
    assert again.read_bytes() == out.read_bytes()


@pytest.mark.slow
def test_scores_against_a_reference_are_those_against_its_clips(networks, folders, tmp_path):
    out = tmp_path / "ref.npz"
    make_reference(folders[0], out, ("fid", "fvd"), FeatureOptions())
    direct = score(*folders, OPTIONS)["metrics"]
    found = score(*folders, replace(OPTIONS, reference=out))["metrics"]
    for name in ("fid", "fvd"):
        assert found[name]["mean"] == pytest.approx(direct[name]["mean"], rel=1e-9)
        assert "against 3 clips of real in ref.npz (SHA-256 " in found[name]["protocol"]
        assert plain_protocol(found[name]) != plain_protocol(direct[name])
    assert found["fid"]["protocol"].endswith("; of 18 real and 18 generated frames")


@pytest.mark.slow
def test_the_real_clips_of_a_reference_are_not_measured_again(networks, folders, tmp_path):
    out, cache = tmp_path / "ref.npz", tmp_path / "cache"
    make_reference(folders[0], out, ("fid", "fvd"), FeatureOptions())
    score(*folders, replace(OPTIONS, reference=out, cache=cache))
    assert len(list(MeasurementCache(cache).folder.rglob("*.npy"))) == 6  # of the fakes


def test_kid_needs_the_frames_and_those_of_the_real_clips_once(networks, folders, tmp_path):
    options = replace(OPTIONS, metrics=("kid",), cache=tmp_path / "cache")
    row = score(*folders, options)["metrics"]["kid"]
    of_clips = [
        [made_features("fid", list(read_frames(path))) for path in sorted(folder.iterdir())]
        for folder in folders
    ]
    assert row["mean"] == pytest.approx(kid(*of_clips)[0], rel=1e-9)
    assert row["protocol"].startswith("kid_pairsofclips_n3: ")
    assert row["protocol"].endswith("; of 18 real and 18 generated frames")
    # Another method, whose videos are a frame shorter.
    for index, name in enumerate(("one", "two", "three")):
        write_video(tmp_path / "shorter" / f"{name}.mp4", moving(index + 9, count=5), crf=20)
    row = score(folders[0], tmp_path / "shorter", options)["metrics"]["kid"]
    assert row["protocol"].endswith("; of 15 real and 15 generated frames")
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == 9
    # A reference does not hold them.
    make_reference(folders[0], tmp_path / "ref.npz", ("fid",), FeatureOptions())
    row = score(*folders, replace(options, reference=tmp_path / "ref.npz"))["metrics"]["kid"]
    assert (row["mean"], "without --reference" in row["reason"]) == (None, True)


def test_windows_of_fvd_are_in_its_name(networks, folders):
    options = replace(OPTIONS, metrics=("fvd",), fvd_frames=9)
    row = score(*folders, options)["metrics"]["fvd"]
    assert row["protocol"].startswith("fvd_9f_n0: 400 logits of I3D (Kinetics-400) on windows of 9")
    assert "shorter than a window of 9 frames" in row["reason"]


@pytest.mark.slow
def test_statistics_of_pytorch_fid_are_taken_for_fid_alone(networks, folders, tmp_path):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 2048))
    mu, sigma = x.mean(0), np.cov(x, rowvar=False)
    np.savez_compressed(tmp_path / "celeb.npz", mu=mu, sigma=sigma)  # as it writes them
    rows = score(*folders, replace(OPTIONS, reference=tmp_path / "celeb.npz"))["metrics"]
    y = features(folders[1], "fid")
    assert rows["fid"]["mean"] == pytest.approx(distance(x, y), rel=1e-6)
    assert "against another program's clips in celeb.npz" in rows["fid"]["protocol"]
    assert "of unknown real and 18 generated frames" in rows["fid"]["protocol"]
    assert rows["fvd"]["protocol"].endswith("; of 3 real and 3 generated windows")


@pytest.mark.parametrize(
    ("change", "named"),
    [({"max_frames": 5}, "max_frames"), ({"image_size": 32}, "image_size"),
     ({"precision": "bf16"}, "precision")],
)  # fmt: skip
def test_a_run_that_measures_in_another_way_is_refused(networks, folders, tmp_path, change, named):
    make_reference(folders[0], tmp_path / "ref.npz", ("fid",), FeatureOptions())
    options = replace(OPTIONS, reference=tmp_path / "ref.npz", **change)
    with pytest.raises(UserError, match=f"measured with other {named}"):
        score(*folders, options)


@pytest.mark.slow
def test_other_weights_or_another_protocol_are_refused(networks, folders, tmp_path):
    path = tmp_path / "ref.npz"
    make_reference(folders[0], path, ("fid",), FeatureOptions())
    arrays = dict(np.load(path))
    about = json.loads(str(arrays["about"]))
    changes = {"weights": {WEIGHTS["fid"]: "0" * 64}, "protocols": {"fid": "every fifth frame"}}
    for name, value in changes.items():
        np.savez(path, **arrays | {"about": np.array(json.dumps(about | {name: value}))})
        with pytest.raises(UserError, match=f"measured with other {name}"):
            score(*folders, replace(OPTIONS, reference=path))


def test_a_clip_that_cannot_be_measured_is_left_out_and_named(networks, folders, tmp_path):
    (folders[0] / "four.mp4").write_bytes(b"no video")
    failed = make_reference(folders[0], tmp_path / "ref.npz", ("fid",), FeatureOptions())
    assert list(failed) == ["four"]
    assert read_reference(tmp_path / "ref.npz").about["clips"] == 3


def test_wrong_files_and_metrics_are_one_sentence(networks, folders, tmp_path):
    path = tmp_path / "ref.npz"
    with pytest.raises(UserError, match="no such file"):
        read_reference(path)
    path.write_bytes(b"no archive")
    with pytest.raises(UserError, match=r"ref\.npz does not read"):
        read_reference(path)
    np.savez(path, mu=np.array([{}], dtype=object), sigma=1)
    with pytest.raises(UserError, match=r"ref\.npz does not read"):  # nothing is unpickled
        read_reference(path)
    np.savez(path, features=np.zeros(3))
    with pytest.raises(UserError, match="no mu and sigma"):
        read_reference(path)
    np.savez(path, mu=np.zeros(64), sigma=np.eye(64))
    with pytest.raises(UserError, match="not the 2048 features of FID"):
        read_reference(path)
    np.savez(path, mu=np.full(2048, np.nan), sigma=np.eye(2048))
    with pytest.raises(UserError, match="not finite"):
        read_reference(path)
    with pytest.raises(UserError, match="of fid and fvd, not of ssim"):
        make_reference(folders[0], path, ("ssim",), FeatureOptions())
