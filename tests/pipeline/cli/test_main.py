"""dh-prep as a user meets it: exit codes, sentences, resuming, what a run leaves behind."""

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import webdataset

from pipeline import progress
from pipeline.cli import main as cli
from pipeline.files import sha256_file
from pipeline.run import summary
from tests.datasets import start_prep

SHORT = "lrs3_UZmXwOgNq7c_00002.webm"  # 0.48 s
CREMA = "crema_1001_DFA_ANG_XX.mkv"


def call(monkeypatch, *words: object) -> int:
    """Runs dh-prep in this process and returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["dh-prep", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.fixture
def videos(shared_data: Path, landmark_task: Path, tmp_path: Path) -> Path:
    """A folder with one short video below an odd name, and one file that is no video."""
    folder = tmp_path / "in"
    (folder / "[bold]anna").mkdir(parents=True)
    shutil.copy(shared_data / "clips" / SHORT, folder / "[bold]anna" / "a&<b>.webm")
    (folder / "junk.mp4").write_text("no video")
    return folder


@pytest.mark.slow
def test_a_run_prepares_reports_and_resumes(videos, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    words = ("run", videos, "--out", out, "--workers", "0", "--clips-per-shard", "1")
    assert call(monkeypatch, *words) == 1
    said = capsys.readouterr().out
    assert "1 of 2 clips prepared: 12 frames, 0.5 seconds; 0 skipped by rule, 1 failed" in said
    assert "junk" in said.split("Failed clips")[1]
    assert "--retry failed" in said
    with (out / "report.csv").open() as file:
        (left_out,) = csv.DictReader(file)
    assert (left_out["clip_id"], left_out["status"]) == ("junk", "failed")
    assert "junk.mp4" in left_out["reason"]

    before = {path.name: sha256_file(path) for path in out.iterdir()}
    stamps = {path: path.stat().st_mtime_ns for path in out.glob("*.tar")}
    assert call(monkeypatch, *words) == 1
    assert "nothing to do: all 2 shards" in capsys.readouterr().out
    assert {path.name: sha256_file(path) for path in out.iterdir()} == before
    assert {path: path.stat().st_mtime_ns for path in out.glob("*.tar")} == stamps

    shutil.copy(videos / "[bold]anna" / "a&<b>.webm", videos / "junk.mp4")
    assert call(monkeypatch, *words, "--retry", "failed") == 0
    assert "carrying on: 1 of 2 shards are done" in capsys.readouterr().out
    assert json.loads((out / "dataset.json").read_text())["counts"]["samples"] == 2
    assert call(monkeypatch, "check", out) == 0
    keys = [
        sample["__key__"]
        for sample in webdataset.WebDataset(sorted(map(str, out.glob("*.tar"))), shardshuffle=False)
    ]
    assert len(keys) == len(set(keys)) == 2


@pytest.mark.slow
def test_an_interrupted_run_carries_on(videos, tmp_path, monkeypatch, capsys):
    shutil.copy(videos / "[bold]anna" / "a&<b>.webm", videos / "junk.mp4")
    out = tmp_path / "out"
    words = ("run", videos, "--out", out, "--workers", "0", "--clips-per-shard", "1")
    assert call(monkeypatch, *words) == 0
    whole = {path.name: sha256_file(path) for path in out.glob("*.tar")}
    for name in ("shard-00001.json", "shard-00001.tar", "dataset.json"):
        (out / name).unlink()
    assert call(monkeypatch, "check", out) == 2
    assert "finish it" in capsys.readouterr().err
    assert call(monkeypatch, *words) == 0
    assert "carrying on: 1 of 2 shards are done" in capsys.readouterr().out
    assert {path.name: sha256_file(path) for path in out.glob("*.tar")} == whole


@pytest.mark.slow
def test_a_dry_run_writes_nothing(videos, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    assert call(monkeypatch, "run", videos, "--out", out, "--dry-run", "--workers", "3") == 0
    said = capsys.readouterr().out
    size = (videos / "junk.mp4").stat().st_size + (
        videos / "[bold]anna" / "a&<b>.webm"
    ).stat().st_size
    assert f"clips      2, {size / 1000:.1f} kB" in said
    assert "split      train: clips 2, known speakers 1" in said
    assert "shards     1 to do" in said
    assert "workers    1" in said  # one shard keeps one worker busy
    assert not out.exists()


@pytest.mark.slow
def test_a_dry_run_leaves_a_begun_folder_as_it_is(videos, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    words = ("run", videos, "--out", out, "--workers", "0")
    assert call(monkeypatch, *words) == 1
    before = {path.name: sha256_file(path) for path in out.iterdir()}
    assert call(monkeypatch, *words, "--licence", "mine", "--dry-run") == 0
    assert {path.name: sha256_file(path) for path in out.iterdir()} == before
    # What the run would say is said without it.
    assert call(monkeypatch, "run", videos, "--out", videos, "--dry-run") == 2
    assert "holds other files" in capsys.readouterr().err


def test_a_run_without_one_sample_says_so(tmp_path, landmark_task, monkeypatch, capsys):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "junk.mp4").write_text("no video")
    out = tmp_path / "out"
    assert call(monkeypatch, "run", tmp_path / "in", "--out", out, "--workers", "0") == 1
    assert "not one clip" in capsys.readouterr().out
    assert json.loads((out / "dataset.json").read_text())["counts"]["clips"] == 1
    assert call(monkeypatch, "check", out) == 0
    assert call(monkeypatch, "inspect", out, "--out", tmp_path / "page.html") == 0


@pytest.mark.slow
def test_clips_skipped_by_rule_are_no_failure(videos, tmp_path, monkeypatch, capsys):
    shutil.copy(videos / "[bold]anna" / "a&<b>.webm", videos / "junk.mp4")
    words = ("run", videos, "--out", tmp_path / "out", "--workers", "0", "--min-seconds")
    assert call(monkeypatch, *words, "0.5") == 1  # since nothing is left
    said = capsys.readouterr().out
    assert "0 of 2 clips prepared" in said
    assert "2 skipped by rule, 0 failed" in said
    table = " ".join(said.split("Skipped by rule")[1].split())
    assert "clip_seconds 0.48 fails clip_seconds >= 0.5 2 " in table


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("run", "{}/absent", "--out", "{}/o"), "no such folder, video or manifest: {}/absent"),
        (("run", "{}/empty", "--out", "{}/o"), "no videos in {}/empty"),
        (("run", "{}/*.mp4", "--out", "{}/o"), "no video matches {}/*.mp4"),
        (("run", "{}/one", "--out", "{}/o", "--image-size", "100"), "--image-size 100"),
        (("run", "{}/one", "--out", "{}/o", "--image-size", "0"), "--image-size"),
        (("run", "{}/one", "--out", "{}/o", "--workers", "-1"), "--workers"),
        (("run", "{}/one", "--out", "{}/o", "--clips-per-shard", "0"), "--clips-per-shard"),
        (("run", "{}/one", "--out", "{}/o", "--smoothing", "some"), "'gaussian'"),
        (("run", "{}/one", "--out", "{}/one"), "{}/one holds other files"),
        (("manifest", "{}/absent", "--layout", "grid"), "no such folder: {}/absent"),
        (("manifest", "{}/one", "--layout", "crema", "--out", "{}/m.csv"), "CREMA-D"),
        (("manifest", "{}/one", "--layout", "folder", "--out", "{}/one/a.mp4"), "is there already"),
        (("check", "{}/absent"), "no such folder: {}/absent"),
        (("check", "{}/one"), "{}/one is not a finished data set"),
        (("inspect", "{}/one", "--out", "{}/p.html"), "{}/one is not a finished data set"),
        (("inspect", "{}/one", "--out", "{}/one"), "{}/one is a folder"),
        (("demo", "--out", "{}/demo", "--people", "99"), "--people 99"),
        (("doctor", "--data", "{}/one"), "--report"),
    ],
)
def test_wrong_use_is_one_sentence_and_code_2(words, sentence, tmp_path, monkeypatch, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "a.mp4").write_text("no video")
    before = sorted(tmp_path.rglob("*"))
    words = [word.replace("{}", str(tmp_path)) for word in words]
    assert call(monkeypatch, *words) == 2
    said = capsys.readouterr().err
    assert sentence.replace("{}", str(tmp_path)) in said
    assert "Traceback" not in said
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.slow
def test_other_options_do_not_mix_with_a_begun_data_set(videos, tmp_path, monkeypatch, capsys):
    words = ("run", videos, "--out", tmp_path / "out", "--workers", "0")
    assert call(monkeypatch, *words) == 1
    assert call(monkeypatch, *words, "--image-size", "64") == 2
    assert "image_size 128 is now 64" in capsys.readouterr().err
    assert call(monkeypatch, *words, "--image-size", "64", "--dry-run") == 2


def test_a_manifest_names_speakers_and_feeds_a_dry_run(tmp_path, monkeypatch, capsys):
    for name in ("1015_DFA_ANG_XX", "1001_DFA_ANG_XX", "1001_DFA_HAP_XX"):
        (tmp_path / f"{name}.mp4").write_text("")
    table = tmp_path / "m.csv"
    assert call(monkeypatch, "manifest", tmp_path, "--layout", "crema", "--out", table) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["all", "3", "2"] in lines
    with table.open() as file:
        assert {row["speaker"] for row in csv.DictReader(file)} == {"1001", "1015"}
    words = ("run", table, "--out", tmp_path / "o", "--dry-run", "--keep", "yaw<25")
    assert call(monkeypatch, *words) == 0
    said = capsys.readouterr().out
    assert "clips      3" in said
    assert "limit      keep: yaw < 25" in said


@pytest.mark.slow
def test_help_is_quick_because_nothing_heavy_is_imported():
    code = "import sys, pipeline.cli.main; print(*{'torch', 'ray', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not done.stdout.strip()


@pytest.mark.slow
def test_output_that_is_not_utf_8_shows_what_it_can_and_keeps_the_exit_code(
    shared_data, landmark_task, tmp_path
):
    shutil.copy(shared_data / "clips" / SHORT, tmp_path / "\u4f60\u597d.webm")
    (tmp_path / "\u574f.mp4").write_text("no video")
    words = ("--out", tmp_path / "\u6570\u636e", "--workers", "0")
    done = start_prep(tmp_path, *words, PYTHONIOENCODING="ascii")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "1 of 2 clips prepared" in done.stdout
    assert "??" in done.stdout
    refused = start_prep(tmp_path, "--out", tmp_path, PYTHONIOENCODING="ascii")
    assert refused.returncode == 2
    assert (tmp_path / "\u6570\u636e" / "report.csv").read_text("utf-8").count("\u574f") >= 1


@pytest.mark.slow
def test_workers_make_the_bytes_that_one_process_makes(
    videos, shared_data, tmp_path, monkeypatch, capsys
):
    (videos / "junk.mp4").unlink()
    shutil.copy(shared_data / "clips" / CREMA, videos)
    common = ("run", videos, "--clips-per-shard", "1")
    assert call(monkeypatch, *common, "--out", tmp_path / "one", "--workers", "0") == 0
    words = [*map(str, common), "--out", str(tmp_path / "two"), "--workers", "2"]
    done = subprocess.run(
        [sys.executable, "-c", "from pipeline.cli.main import main; main()", *words],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TERM": "dumb"},
    )
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    for name in ("shard-00000.tar", "shard-00001.tar", "dataset.json", "plan.json"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_plain_log_gets_a_line_now_and_then_without_control_codes(monkeypatch, capsys):
    now = iter([0.0, 4.0, 12.0, 13.0, 20.0])
    # Its clock alone: other threads of these tests look at that of the process.
    monkeypatch.setattr(progress, "time", SimpleNamespace(monotonic=lambda: next(now)))
    with progress.progress("clips", 4) as step:
        for failed in range(4):
            step(f"{failed} failed")
    assert capsys.readouterr().err.splitlines() == [
        "2/4 clips, 0.2/s, 1 failed, 0:00:12 left",
        "4/4 clips, 0.2/s, 3 failed, 0:00:00 left",
    ]


def test_reasons_that_differ_only_in_numbers_or_names_are_one():
    reasons = [
        ("a", "a face for 0.2 s only", "skipped"),
        ("b", "a face for 0.3 s only", "skipped"),
        ("c", "cannot read /my videos/c.mp4: Invalid data", "failed"),
        ("d", "cannot read in/d.mp4: Invalid data", "failed"),
        ("e", "cannot read in/e.mp4: Permission denied", "failed"),
        ("f", "", "ok"),
    ]
    rows = pd.DataFrame(reasons, columns=["clip_id", "reason", "status"])
    rows["source"] = rows["clip_id"] + ".mp4"
    assert summary.drop_reasons(rows) == [
        ("skipped", "a face for 0.2 s only", 2, "a"),
        ("failed", "cannot read the file: Invalid data", 2, "c"),
        ("failed", "cannot read the file: Permission denied", 1, "e"),
    ]
