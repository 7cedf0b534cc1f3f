"""Who measures: this process, from the cache or by itself, several processes, or a cluster's."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.scoring.results import read_scores
from benchmarks.scoring.score import score
from benchmarks.scoring.score_options import ScoreOptions
from pipeline.media import read_frames, write_video
from tests.benchmarks.score_inputs import OUTPUTS as CLIPS
from tests.benchmarks.score_inputs import WITHOUT_NETWORKS, write_outputs


@pytest.fixture(scope="module")
def folders(shared_data, landmark_task, tmp_path_factory):
    return write_outputs(shared_data, tmp_path_factory.mktemp("clips"))


@pytest.fixture
def options(tmp_path):
    return ScoreOptions(max_frames=22, metrics=WITHOUT_NETWORKS, workers=1, cache=tmp_path)


@pytest.mark.slow
def test_fid_and_fvd_come_out_of_the_same_pass_whose_cache_needs_no_worker_and_no_torch(
    folders, options, inception_path, i3d_path
):
    """In a process of its own, since torch is imported here already."""
    metrics = (*WITHOUT_NETWORKS, "fid", "fvd")
    options = replace(options, metrics=metrics, precision="bf16")
    arguments = ["dh-bench", "score", "--workers", "2", "--max-frames", "22", "--precision", "bf16"]
    for name, folder in zip(("--real", "--fake"), folders, strict=True):
        arguments += [name, str(folder)]
    arguments += ["--cache", str(options.cache), "--out", str(options.cache / "scores.json")]
    arguments += ["--metrics", ",".join(options.metrics)]
    code = (
        "import sys\nfrom benchmarks.cli.main import main\n"
        f"sys.argv = {arguments!r}\n"
        "try:\n    main()\n"
        "finally:\n    print('imported', *({'torch', 'ray', 'ai_edge_litert'} & set(sys.modules)))"
    )

    def imported():
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return set(done.stdout.splitlines()[-1].split()[1:])

    first = score(*folders, replace(options, method="fake"))
    fid, fvd = first["metrics"]["fid"], first["metrics"]["fvd"]
    assert fid["protocol"].startswith("fid_allframes_n3: ")
    assert fvd["protocol"].startswith("fvd_16f_n3: ")
    assert all("bfloat16" in row["protocol"] for row in (fid, fvd))
    assert 0 < fid["mean"] < 200
    assert fvd["mean"] > 0
    assert {"inception-2015.pt", "i3d-kinetics-400.ckpt"} < set(first["weights"])
    assert imported() == set()
    found = read_scores(options.cache / "scores.json")
    assert found["clips"] == first["clips"]
    assert found["metrics"] == first["metrics"]


def test_a_lip_reader_is_asked_again(folders, options):
    """Its words are not kept: nobody knows what it is made of."""
    asked = []

    def read_lips(path):
        asked.append(path.stem)
        return "bin"

    options = replace(options, metrics=("wer",))
    for _ in range(2):
        assert score(*folders, options, read_lips)["metrics"]["wer"]["n"] == 3
    assert asked == [*CLIPS, *CLIPS]


@pytest.mark.slow
def test_what_is_left_is_measured_in_its_turn(folders, options, monkeypatch):
    """The second clip's fake is another one by now; no worker is started for it."""
    options = replace(options, metrics=("ssim",), workers=2, cache=options.cache / "kept")
    base = options.cache.parent
    shutil.copytree(folders[0], base / "real", symlinks=True)
    shutil.copytree(folders[1], base / "fake")
    whole = score(base / "real", base / "fake", replace(options, workers=1))
    write_video(
        base / "fake" / f"{CLIPS[1]}.mp4", list(read_frames(folders[0] / f"{CLIPS[1]}.mp4"))[:22]
    )
    monkeypatch.setattr("benchmarks.scoring.scorer.run_on_ray", None)
    found = score(base / "real", base / "fake", options)
    assert [row["clip_id"] for row in found["clips"]] == list(CLIPS)
    same = [a == b for a, b in zip(found["clips"], whole["clips"], strict=True)]
    assert same == [True, False, True]


@pytest.mark.slow
def test_two_processes_give_what_one_gives(folders, options):
    metrics = ("ssim", "ofm", "blinks_per_second", "lip_lag")
    one = score(*folders, replace(options, metrics=metrics))
    two = score(*folders, replace(options, metrics=metrics, workers=2, cache=options.cache / "two"))
    one["options"], two["options"] = {}, {}
    assert json.dumps(one) == json.dumps(two)


@pytest.mark.slow
def test_processes_in_another_folder_find_what_is_named_from_here(folders, options, monkeypatch):
    monkeypatch.chdir(options.cache)
    for name, folder in zip(("real", "fake"), folders, strict=True):
        (options.cache / name).symlink_to(folder)
    (options.cache / "weights").mkdir()
    near = replace(options, metrics=("ssim", "lmd"), workers=2)
    near = replace(near, cache=Path("cache"), weights_dir=Path("weights"))
    scores = score(Path("real"), Path("fake"), near)
    assert [row["status"] for row in scores["clips"]] == ["ok"] * 3
    assert scores["metrics"]["lmd"]["n"] == 3
    assert scores["sources"][CLIPS[0]]["real"] == f"real/{CLIPS[0]}.mp4"  # as it was named
