"""Scoring folders: matching, sizes, lengths, what fails, and the numbers against scikit-image."""

import json

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from benchmarks.clips.paired_frames import compared_size
from benchmarks.clips.pairs import find_videos, match_clips
from benchmarks.scoring.results import read_scores
from benchmarks.scoring.score import score_to
from benchmarks.scoring.score_options import ScoreOptions
from benchmarks.tables.scores_text import print_scores
from pipeline.errors import UserError
from pipeline.media import read_frames, write_video
from tests.benchmarks.score_inputs import FRAMEWISE, moving, row, score


@pytest.fixture
def folders(tmp_path):
    """Two real clips and their fakes, which are the same frames at a poor quality."""
    for index, name in enumerate(("one", "two")):
        write_video(tmp_path / "real" / f"{name}.mkv", moving(index), crf=5)
        write_video(tmp_path / "fake" / f"{name}.mp4", moving(index), crf=40)
    return tmp_path / "real", tmp_path / "fake"


def test_numbers_are_those_of_scikit_image(folders):
    scores = score(*folders, ScoreOptions(method="ours", dataset="CREMA"))
    means = {"ssim": [], "psnr": []}
    for name in ("one", "two"):
        real = list(read_frames(folders[0] / f"{name}.mkv"))
        fake = list(read_frames(folders[1] / f"{name}.mp4"))
        options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
        expected = {
            "ssim": np.mean(
                [
                    structural_similarity(x, y, channel_axis=2, data_range=255, **options)
                    for x, y in zip(real, fake, strict=True)
                ]
            ),
            "psnr": np.mean(
                [peak_signal_noise_ratio(x, y) for x, y in zip(real, fake, strict=True)]
            ),
        }
        assert row(scores, name)["values"] == pytest.approx(expected, abs=1e-9)
        for metric, number in expected.items():
            means[metric].append(number)
    for metric, numbers in means.items():
        result = scores["metrics"][metric]
        assert result["mean"] == pytest.approx(np.mean(numbers))
        assert result["std"] == pytest.approx(np.std(numbers, ddof=1))
        assert min(numbers) - 1e-9 <= result["ci95"][0] <= result["mean"] <= result["ci95"][1]
        assert result["n"] == 2
        assert result["direction"] == "higher"
    assert (scores["method"], scores["dataset"]) == ("ours", "CREMA")
    assert scores["unmatched"] == {"real": [], "fake": []}


def test_the_same_twice_and_finite_json(folders):
    first, second = score(*folders), score(*folders)
    assert json.dumps(first, allow_nan=False) == json.dumps(second, allow_nan=False)
    assert (first["method"], first["dataset"]) == ("fake", "real")


def test_rows_written_one_by_one_are_those_that_are_kept(folders, tmp_path):
    write_video(folders[1] / "two.mp4", moving(1, count=3), crf=40)
    write_video(folders[0] / "three.mkv", moving(2))
    (folders[1] / "three.mp4").write_bytes(b"not a video")
    options = ScoreOptions(metrics=FRAMEWISE, workers=1)
    brief = score_to(tmp_path / "scores.json", *folders, options)
    whole = score(*folders)
    assert read_scores(tmp_path / "scores.json") == whole
    assert {**brief, "clips": []} == {**whole, "clips": []}
    assert [(row["clip_id"], row["status"]) for row in brief["clips"]] == [
        ("three", "failed"),
        ("two", "ok"),
    ]
    assert brief["clips"][1]["warnings"] == row(whole, "two")["warnings"]
    lines = (tmp_path / "scores.json").read_text().splitlines()
    assert sum(line.startswith('    {"clip_id": ') for line in lines) == 3
    assert {path.name for path in tmp_path.iterdir()} == {"real", "fake", "scores.json"}


def test_identical_clips_are_perfect_and_counted(folders):
    scores = score(folders[0], folders[0])
    assert scores["metrics"]["ssim"]["mean"] == 1.0
    assert scores["metrics"]["psnr"]["mean"] == 100.0
    assert row(scores, "one")["identical_frames"] == row(scores, "one")["frames"] == 6


def test_real_clips_rank_a_worse_encoding_lower(shared_data, tmp_path):
    source = shared_data / "clips" / "crema_1001_DFA_ANG_XX.mkv"
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / source.name).symlink_to(source)
    means = []
    for crf in (20, 45):
        fake = tmp_path / f"crf{crf}"
        write_video(fake / f"{source.stem}.mp4", list(read_frames(source))[:8], crf=crf)
        scores = score(tmp_path / "real", fake, ScoreOptions(max_frames=8, image_size=128))
        assert row(scores, source.stem)["size_compared"] == "128x128"
        assert row(scores, source.stem)["frames"] == 8
        means.append([scores["metrics"][name]["mean"] for name in ("ssim", "psnr")])
    assert means[0][0] > means[1][0] + 0.02
    assert means[0][1] > means[1][1] + 3


def test_lengths_are_recorded_and_a_short_fake_is_a_warning(folders):
    write_video(folders[1] / "one.mp4", moving(0, count=5), crf=40)
    write_video(folders[1] / "two.mp4", moving(1, count=3), crf=40)
    scores = score(*folders)
    one, two = row(scores, "one"), row(scores, "two")
    assert (one["frames"], one["frames_real"], one["frames_fake"]) == (5, 6, 5)
    assert one["warnings"] == []
    assert (two["frames"], two["frames_real"], two["frames_fake"]) == (3, 6, 3)
    assert "the fake has 3 frames, the real clip 6" in two["warnings"][0]
    within = score(*folders, ScoreOptions(max_frames=3))
    assert row(within, "two")["warnings"] == []
    assert row(within, "one")["frames"] == 3
    assert row(score(*folders, ScoreOptions(max_frames=0)), "one")["frames"] == 5


def test_a_fake_of_another_size_is_brought_to_the_real_one(folders):
    small = [cv2.resize(frame, (32, 24)) for frame in moving(0)]
    write_video(folders[1] / "one.mp4", small, crf=5)
    scores = score(*folders)
    one = row(scores, "one")
    assert (one["size_real"], one["size_fake"], one["size_compared"]) == ("64x48", "32x24", "64x48")
    assert "compared at 64x48; fake frames resized from 32x24" in scores["protocol"]
    assert "resized" not in score(folders[0], folders[0])["protocol"]


def test_size_keeps_the_shape_of_the_real_clip():
    real = (360, 288)
    assert compared_size(real, real, None) == (360, 288)
    assert compared_size(real, (180, 144), 128) == (160, 128)
    with pytest.raises(ValueError, match="the fake is 288x288 and the real clip 360x288"):
        compared_size(real, (288, 288), None)


def test_a_broken_clip_is_a_row_with_a_reason(folders):
    (folders[1] / "one.mp4").write_bytes(b"not a video")
    scores = score(*folders)
    broken = row(scores, "one")
    assert broken["status"] == "failed"
    assert "one.mp4" in broken["reason"]
    assert scores["metrics"]["ssim"]["n"] == 1
    assert scores["metrics"]["ssim"]["ci95"] is None  # one clip has no spread
    (folders[1] / "two.mp4").write_bytes(b"")
    scores = score(*folders)
    assert scores["metrics"]["psnr"]["n"] == 0
    assert scores["metrics"]["psnr"]["mean"] is None


def test_clips_on_one_side_only_are_named(folders):
    write_video(folders[0] / "three.mkv", moving(3))
    write_video(folders[1] / "four.mp4", moving(4))
    assert score(*folders)["unmatched"] == {"real": ["three"], "fake": ["four"]}


def test_wrong_use_is_one_sentence(folders, tmp_path):
    real, fake = folders
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(UserError, match="no such folder"):
        score(real, tmp_path / "absent")
    with pytest.raises(UserError, match="no video in"):
        score(real, empty)
    with pytest.raises(UserError, match="--split is for a data set"):
        score(real, fake, ScoreOptions(split="test"))
    write_video(empty / "other.mp4", moving(5))
    with pytest.raises(UserError, match="is called like a clip in"):
        score(real, empty)
    write_video(fake / "one.mkv", moving(0))
    with pytest.raises(UserError, match=r"two in .* are called 'one'"):
        find_videos(fake)


def test_a_name_in_two_folders_is_matched_with_its_folder(folders):
    for index, speaker in enumerate(("s1", "s2")):
        write_video(folders[0] / speaker / "bbaf.mkv", moving(index), crf=5)
        write_video(folders[1] / speaker / "bbaf.mp4", moving(index), crf=20)
    scores = score(*folders)
    ids = ["one", "s1/bbaf", "s2/bbaf", "two"]
    assert [row["clip_id"] for row in scores["clips"]] == ids
    assert scores["metrics"]["psnr"]["n"] == 4
    assert min(row["values"]["psnr"] for row in scores["clips"]) > 20  # each its own
    (folders[1] / "s2" / "bbaf.mp4").unlink()
    scores = score(*folders)
    assert [row["clip_id"] for row in scores["clips"]] == ["one", "s1/bbaf", "two"]
    assert scores["unmatched"] == {"real": ["s2/bbaf"], "fake": []}


def test_names_that_differ_in_case_get_a_hint(folders, capsys):
    (folders[1] / "two.mp4").rename(folders[1] / "TWO.mp4")
    print_scores(score(*folders))
    assert "'TWO' differs from 'two' in case" in capsys.readouterr().out
    (folders[1] / "one.mp4").unlink()
    with pytest.raises(UserError, match="'TWO' differs from 'two' in case: rename"):
        score(*folders)


def test_hidden_files_are_no_clips(folders):
    (folders[0] / "._one.mkv").write_bytes(b"a desktop's shadow file")
    assert list(find_videos(folders[0])) == ["one", "two"]


def test_matching_takes_the_key_first_and_never_guesses():
    fakes = {name: name for name in ("s1_bbaf", "lone", "bbaf")}
    stems = {"s1_bbaf": "bbaf", "s2_bbaf": "bbaf", "lone-1a2b": "lone"}
    assert match_clips(stems, fakes) == {"s1_bbaf": "s1_bbaf", "lone-1a2b": "lone"}
