"""Scores that somebody sends: honest ones pass, whatever was changed in them is named."""

import copy
import math

import pytest

from benchmarks.scoring.score_options import ScoreOptions
from benchmarks.tables.check import problems_of
from pipeline.files import write_json
from pipeline.media import write_video
from tests.benchmarks.cli.test_tables import bench
from tests.benchmarks.made_up import made_up_scores
from tests.benchmarks.score_inputs import moving, score


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clips")
    for index, name in enumerate(("one", "two", "three")):
        write_video(folder / "real" / f"{name}.mkv", moving(index), crf=5)
        write_video(folder / "fake" / f"{name}.mp4", moving(index), crf=40)
    (folder / "fake" / "three.mp4").write_bytes(b"no video")
    return score(folder / "real", folder / "fake", ScoreOptions())


def test_what_was_just_scored_has_no_problem(honest):
    assert problems_of(honest) == []


def change(scores, *path, value):
    """The scores with another value at a path of keys."""
    changed = copy.deepcopy(scores)
    place = changed
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("path", "value", "problem"),
    [
        (("metrics", "ssim", "mean"), 0.999, "SSIM: the mean of its clips is"),
        (("metrics", "ssim", "std"), 0.5, "SSIM: the spread of its clips is"),
        (("metrics", "psnr", "ci95"), [90.0, 99.0], "is outside its interval"),
        (("metrics", "psnr", "n"), 820, "does not end in n820"),
        (("metrics", "psnr", "direction"), "lower", "PSNR: its direction is higher, not lower"),
        (("metrics", "ssim", "protocol"), "ssim_n2: by eye", "is another version's"),
        (("metrics", "ssim", "mean"), None, "neither a number nor a reason"),
        (("clips", 0, "values", "ssim"), 1.5, "SSIM: 1.5 cannot be; it lies in -1 … 1"),
        (("clips", 0, "values", "ssim"), math.inf, "SSIM: inf cannot be"),
        (("clips", 0, "clip_id"), "two", "1 clips are there twice, the first, two"),
        (("clips", 0, "frames"), 60, "one has more frames compared (60)"),
        (("clips", 0, "identical_frames"), 6, "one is a copy of the real clip"),
        (("clips", 1, "values"), {"ssim": 1.0}, "three failed, but has numbers"),
        (("clips", 0, "status"), "fine", "one is neither ok nor failed: 'fine'"),
        (("weights",), {"inception-2015.pt": "0" * 64}, "inception-2015.pt (SHA-256 0000"),
        (("sources",), {}, "not those whose sources are named"),
    ],
)
def test_what_was_changed_is_named(honest, path, value, problem):
    found = problems_of(change(honest, *path, value=value))
    assert any(problem in text for text in found), found


def test_a_network_s_number_needs_the_network_s_hash(honest):
    scores = change(honest, "metrics", "fid", value=made_up_scores()["metrics"]["fid"])
    assert "fid: measured without the SHA-256 of inception-2015.pt" in problems_of(scores)


def test_the_command_says_it_and_gives_one(honest, tmp_path, monkeypatch, capsys):
    good, bad = tmp_path / "good.json", tmp_path / "bad.json"
    write_json(good, honest)
    write_json(bad, change(honest, "metrics", "ssim", "mean", value=0.999))
    assert bench(monkeypatch, "check", good) == 0
    assert "good.json: no problems\n  2 clips scored, 1 failed" in capsys.readouterr().out
    assert bench(monkeypatch, "check", good, bad) == 1
    assert "bad.json: 1 problem\n  SSIM: the mean of its clips" in capsys.readouterr().out
    bad.write_text("{}")
    assert bench(monkeypatch, "check", bad) == 2
    assert "not written by dh-bench score" in capsys.readouterr().err
