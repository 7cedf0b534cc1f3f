"""Who measures: this process, from the cache or by itself, several processes, or a cluster's."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.scoring.results import read_scores
from benchmarks.scoring.score import score
from benchmarks.scoring.score_options import ScoreOptions
from benchmarks.scoring.scorer import _in_order
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
def test_a_run_from_the_cache_needs_no_worker_and_no_torch(
    folders, options, inception_path, i3d_path
):
    """In a process of its own, since torch is imported here already."""
    options = replace(options, metrics=(*WITHOUT_NETWORKS, "fid", "fvd"))
    arguments = ["dh-bench", "score", "--workers", "2", "--max-frames", "22"]
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
    monkeypatch.setattr("benchmarks.scoring.scorer.ray_session", None)
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


class Elsewhere:
    """Ray whose one worker is this process in another folder, as a cluster's workers are."""

    def __init__(self, folder):
        self.folder, self.done = folder, []

    def cluster_resources(self):
        return {"CPU": 2.0}

    def remote(self, cls):
        def start(*arguments):
            with contextlib.chdir(self.folder):
                scorer = cls(*arguments)
            return SimpleNamespace(score=SimpleNamespace(remote=partial(self.run, scorer)))

        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=start))

    def run(self, scorer, job):
        with contextlib.chdir(self.folder):
            self.done.append(scorer.score(job))
        return len(self.done) - 1

    def wait(self, running, num_returns):
        return running[:num_returns], running[num_returns:]

    def get(self, ready):
        return self.done[ready]


def test_workers_in_another_folder_find_what_is_named_from_here(folders, options, monkeypatch):
    ray = Elsewhere(options.cache / "elsewhere")
    ray.folder.mkdir()
    monkeypatch.setattr(
        "benchmarks.scoring.scorer.ray_session", lambda _: contextlib.nullcontext(ray)
    )
    monkeypatch.chdir(options.cache)
    for name, folder in zip(("real", "fake"), folders, strict=True):
        (options.cache / name).symlink_to(folder)
    (options.cache / "weights").mkdir()
    near = replace(options, metrics=("ssim", "lmd"), workers=2)
    near = replace(near, cache=Path("cache"), weights_dir=Path("weights"))
    scores = score(Path("real"), Path("fake"), near)
    assert [row["status"] for row in scores["clips"]] == ["ok"] * 3
    assert len(ray.done) == scores["metrics"]["lmd"]["n"] == 3
    assert not any(ray.folder.iterdir())
    assert scores["sources"][CLIPS[0]]["real"] == f"real/{CLIPS[0]}.mp4"  # as it was named


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
    jobs = _in_order(ray, [Actor() for _ in range(3)], range(count))
    found = [one for job in jobs for one in job]
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
    assert first == ["0a", "0b"]
    assert ray.last == 31  # 16 jobs for each actor
