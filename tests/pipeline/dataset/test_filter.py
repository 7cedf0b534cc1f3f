"""A smaller data set out of a finished one, and the data card of both."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.dataset.check import check_dataset
from pipeline.dataset.filter import filter_dataset
from pipeline.dataset.limits import Limits
from pipeline.dataset.pages.data_card import write_card
from pipeline.dataset.rows import read_rows
from pipeline.dataset.shards import read_dataset, read_samples
from pipeline.errors import UserError
from pipeline.files import read_json, write_json
from tests.datasets import content, run_prep, write_talker

_WORDS = ("--clips-per-shard", "2", "--image-size", "64", "--workers", "0")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four clips of two speakers, longer and longer, and one that is no video."""
    folder = tmp_path_factory.mktemp("filter") / "videos"
    for index, name in enumerate(("ann/a", "ann/b", "bea/c", "bea/d")):
        write_talker(folder / f"{name}.mp4", 12 + 4 * index, index)
    (folder / "bea" / "junk.mp4").write_text("no video")
    return folder


@pytest.fixture(scope="module")
def prepared(landmark_task: Path, videos: Path) -> Path:
    """Their data set, without limits."""
    out = videos.parent / "set"
    assert run_prep(videos, "--out", out, *_WORDS, "--licence", "CC0 1.0").returncode == 1
    return out


@pytest.mark.slow
def test_filtering_afterwards_gives_the_shards_that_limits_would_have_given(
    videos: Path, prepared: Path, tmp_path: Path
):
    run_prep(videos, "--out", tmp_path / "limited", *_WORDS, "--min-seconds", "0.7")
    filter_dataset(prepared, tmp_path / "filtered", Limits(min_seconds=0.7))
    ours, theirs = content(tmp_path / "filtered"), content(tmp_path / "limited")
    tars = [name for name in ours if name.endswith(".tar")]
    assert [ours[name] for name in tars] == [theirs[name] for name in tars]
    for name in ("counts", "options", "speech", "speakers"):
        assert read_dataset(tmp_path / "filtered")[name] == read_dataset(tmp_path / "limited")[name]
    assert check_dataset(tmp_path / "filtered").problems == []
    assert len(list(read_samples(tmp_path / "filtered"))) == 2
    rows = read_rows(tmp_path / "filtered").set_index("source")
    assert rows.loc["ann/a.mp4", "reason"] == "clip_seconds 0.48 fails clip_seconds >= 0.7"
    assert rows.loc["bea/junk.mp4", "status"] == "failed"


def test_what_was_interrupted_is_carried_on_and_other_limits_are_refused(
    prepared: Path, tmp_path: Path
):
    out = tmp_path / "out"
    filter_dataset(prepared, out, Limits(min_seconds=0.7))
    whole = content(out)
    (out / "shard-00001.json").unlink()
    (out / "dataset.json").unlink()
    filter_dataset(prepared, out, Limits(min_seconds=0.7))
    assert content(out) == whole
    with pytest.raises(UserError, match=r"min_seconds 0\.7 is now 0\.8"):
        filter_dataset(prepared, out, Limits(min_seconds=0.8))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(UserError, match="holds other files"):
        filter_dataset(prepared, tmp_path / "full", Limits())
    with pytest.raises(UserError, match="not a finished data set"):
        filter_dataset(tmp_path / "full", tmp_path / "other", Limits())


@pytest.mark.slow
def test_a_data_set_of_former_limits_is_checked_filtered_and_carried_on(
    videos: Path, prepared: Path, tmp_path: Path
):
    """`--max-lag` was an option once; now it is a condition of `--keep`."""
    old = shutil.copytree(prepared, tmp_path / "old")
    for name in ("plan.json", "dataset.json"):
        content = read_json(old / name)
        content["options"]["limits"] = {"min_seconds": 0.4, "max_lag": 9}
        write_json(old / name, content)
    assert check_dataset(old).problems == []

    filtered = filter_dataset(old, tmp_path / "new", Limits(max_yaw=80))
    expected = {"min_seconds": 0.4, "max_yaw": 80, "keep": "abs(av_lag) <= 9"}
    assert filtered["options"]["limits"] == expected
    assert filtered["counts"]["samples"] == 4
    assert check_dataset(tmp_path / "new").problems == []
    former = read_json(tmp_path / "new" / "plan.json")  # begun by the version that had --max-lag
    former["options"]["limits"] = {"min_seconds": 0.4, "max_yaw": 80, "max_lag": 9}
    write_json(tmp_path / "new" / "plan.json", former)
    filter_dataset(old, tmp_path / "new", Limits(max_yaw=80))

    (old / "shard-00000.json").unlink()
    refused = run_prep(videos, "--out", old, *_WORDS)
    assert refused.returncode == 2
    assert "keep abs(av_lag) <= 9 is now None" in refused.stderr
    assert run_prep(videos, "--out", old, *_WORDS, "--keep", "abs(av_lag)<=9").returncode == 1
    assert read_dataset(old)["counts"] == read_dataset(prepared)["counts"]
    assert check_dataset(old).problems == []


@pytest.mark.slow
def test_conditions_drop_in_a_run_what_they_drop_afterwards(
    videos: Path, prepared: Path, tmp_path: Path
):
    keep = "speaker == 'ann' and clip_seconds > 0.5"
    run_prep(videos, "--out", tmp_path / "run", *_WORDS, "--keep", keep)
    words = ["filter", str(prepared), "--out", str(tmp_path / "filtered"), "--keep", keep]
    assert CliRunner().invoke(app, words).exit_code == 0
    for out in (tmp_path / "run", tmp_path / "filtered"):
        rows = read_rows(out).set_index("source")
        assert rows.index[rows["status"] == "ok"].tolist() == ["ann/b.mp4"]
        assert rows.loc["ann/a.mp4", "reason"] == "clip_seconds 0.48 fails clip_seconds > 0.5"
        assert rows.loc["bea/c.mp4", "reason"] == "speaker 'bea' fails speaker == 'ann'"
        assert read_dataset(out)["options"]["limits"]["keep"] == keep
        assert check_dataset(out).problems == []
    # In a run a condition ends a clip as soon as its columns are known.
    stages = read_rows(tmp_path / "run").set_index("source")["stage"]
    assert stages[["ann/a.mp4", "bea/c.mp4"]].tolist() == ["landmarks", "decode"]


def test_the_card_says_what_the_data_set_is(prepared: Path, videos: Path):
    card = (prepared / "README.md").read_text(encoding="utf-8")
    assert f"**Source:** `{videos}`" in card
    assert "**Licence:** CC0 1.0" in card
    assert "4 samples, 2.9 seconds" in " ".join(card.split())
    assert "Of 5 videos: 0 skipped by rule, 1 failed" in " ".join(card.split())
    assert re.search(r"\| failed \| cannot read the file: .* \| 1 \|", card)
    assert "| min_seconds | 0.4 |" in card
    rows = read_rows(prepared)
    median = rows["eye_distance"].median()
    assert re.search(rf"\| eye_distance \| \S+ \| {median:.3g} \|", card)
    done = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=prepared, capture_output=True, text=True, check=True
    )
    assert done.stdout.count(": OK") == len(list(prepared.glob("*.tar")))


def test_the_card_names_speakers_who_are_in_several_splits(prepared: Path, tmp_path: Path):
    dataset, rows = read_dataset(prepared), read_rows(prepared)
    for shared, sentence in (([], "none is in more than one"), (["ann"], "1 are in more than")):
        dataset["speakers"] = {"train": 2, "test": 1, "in_several_splits": shared}
        write_card(tmp_path, dataset, rows)
        assert sentence in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_limits_that_no_clip_keeps_end_with_1(prepared: Path, tmp_path: Path):
    done = CliRunner().invoke(
        app, ["filter", str(prepared), "--out", str(tmp_path / "none"), "--min-face", "4000"]
    )
    assert done.exit_code == 1
    assert done.output.splitlines()[-1].startswith("not one clip keeps the limits")
