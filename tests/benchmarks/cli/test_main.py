"""dh-bench as its users meet it: exit codes, messages and files."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from benchmarks.cli.main import app, main
from pipeline.media import write_video


def frames(seed, count=4):
    rng = np.random.default_rng(seed)
    return [np.full((32, 48, 3), level, np.uint8) for level in rng.integers(40, 200, count)]


@pytest.fixture
def folders(tmp_path):
    for index, name in enumerate(("one", "two")):
        write_video(tmp_path / "real" / f"{name}.mp4", frames(index))
        write_video(tmp_path / "fake" / f"{name}.mp4", frames(index), crf=35)
    return tmp_path


def bench(monkeypatch, *arguments):
    """Runs dh-bench in this process as its entry point would; the exit code."""
    monkeypatch.setattr(sys, "argv", ["dh-bench", *map(str, arguments)])
    with pytest.raises(SystemExit) as exit_:
        main()
    return exit_.value.code or 0


def score(monkeypatch, folder, *more):
    arguments = ("--real", folder / "real", "--fake", folder / "fake", "--out", folder / "s.json")
    arguments += ("--metrics", "ssim,psnr", "--cache", folder.parent / "cache")
    return bench(monkeypatch, "score", *arguments, *more)


def test_score_then_table(folders, monkeypatch, capsys):
    more = ("--name", "mine", "--dataset", "CREMA", "--metrics", "ssim,psnr,wer")
    assert score(monkeypatch, folders, *more) == 0
    text = capsys.readouterr().out
    assert "not measured (1):\n  WER: no lip reader given; name yours with --lip-reader\n" in text
    assert "mine on CREMA" in text
    assert "Gaussian window 11x11" in text
    assert "SSIM ↑" in text
    scores = json.loads((folders / "s.json").read_text())
    assert scores["metrics"]["ssim"]["n"] == 2
    assert {path.name for path in folders.iterdir()} == {"real", "fake", "s.json"}
    outs = [folders / f"t{suffix}" for suffix in (".md", ".csv", ".tex", ".html")]
    arguments = [part for out in outs for part in ("--out", out)]
    assert bench(monkeypatch, "table", "--scores", folders / "s.json", *arguments) == 0
    marks = {".tex": r"mine\textsuperscript{1}"}
    assert all(marks.get(out.suffix, "mine (measured here)") in out.read_text() for out in outs)
    with outs[1].open(newline="") as file:
        ours = list(csv.DictReader(file))[-1]
    assert ours["CREMA SSIM"] == f"{scores['metrics']['ssim']['mean']:.2f}"


def test_one_command_makes_the_row_of_the_encoded_real_clips(folders, monkeypatch, capsys):
    (folders / "real" / "three.mp4").write_bytes(b"junk")
    out, videos = folders / "gt.json", folders / "encoded"
    arguments = ("score", "--real", folders / "real", "--encoded", videos, "--out", out)
    arguments += ("--metrics", "ssim", "--cache", folders / "cache")
    assert bench(monkeypatch, *arguments) == 1
    assert "not encoded three: cannot read" in capsys.readouterr().out
    scores = json.loads(out.read_text())
    assert (scores["method"], scores["metrics"]["ssim"]["n"]) == ("GT, encoded", 2)
    assert 0.9 < scores["metrics"]["ssim"]["mean"] < 1
    assert {path.suffix for path in videos.iterdir()} == {".mp4", ".json"}
    assert bench(monkeypatch, *arguments) == 1  # into the same folder again
    assert bench(monkeypatch, *arguments, "--fake", folders / "fake") == 2
    other = [*arguments[:4], folders / "fake", *arguments[5:]]
    assert bench(monkeypatch, *other) == 2
    assert "fake holds other files" in capsys.readouterr().err


def test_what_cannot_be_measured_says_why(folders, monkeypatch, capsys):
    assert score(monkeypatch, folders, "--metrics", "ssim,wer") == 0
    text = capsys.readouterr().out
    assert "not measured (1):\n  WER: no lip reader given; name yours with --lip-reader" in text


def test_failures_are_named_and_give_one(folders, monkeypatch, capsys):
    (folders / "fake" / "two.mp4").write_bytes(b"junk")
    assert score(monkeypatch, folders) == 1
    text = capsys.readouterr().out
    assert "failed (1):" in text
    assert "two: cannot read" in text
    scores = json.loads((folders / "s.json").read_text())
    assert [row["status"] for row in scores["clips"]] == ["ok", "failed"]


def test_unmatched_clips_are_named_and_give_one(folders, monkeypatch, capsys):
    for index in range(12):
        write_video(folders / "real" / f"extra{index:02d}.mp4", frames(index, 1))
    write_video(folders / "fake" / "stray.mp4", frames(9))
    assert score(monkeypatch, folders) == 1
    text = capsys.readouterr().out
    assert "real clips without a fake (12):" in text
    assert "extra09" in text
    assert "extra10" not in text
    assert "and 2 more, all in the JSON" in text
    assert "fakes without a real clip (1):\n  stray" in text


def test_a_short_fake_is_a_warning_and_not_a_failure(folders, monkeypatch, capsys):
    write_video(folders / "fake" / "two.mp4", frames(1, 2))
    assert score(monkeypatch, folders) == 0
    assert "two: the fake has 2 frames, the real clip 4" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (["--real", "/no/such/folder"], "no such folder: /no/such/folder"),
        (["--split", "test"], "--split is for a data set"),
        (["--out", "."], "is a folder; name a file"),
    ],
)
def test_wrong_use_of_score_is_a_sentence_and_two(folders, monkeypatch, capsys, change, message):
    assert score(monkeypatch, folders, *change) == 2
    captured = capsys.readouterr()
    assert message in captured.err
    assert captured.err.startswith("error: ")
    assert captured.err.count("\n") == 1
    assert not (folders / "s.json").exists()


def test_wrong_use_of_table_writes_nothing(folders, monkeypatch, capsys):
    good, bad = folders / "t.md", folders / "t.xlsx"
    assert bench(monkeypatch, "table", "--out", good, "--out", bad) == 2
    assert "use a name that ends in .md, .csv, .tex, .html" in capsys.readouterr().err
    assert not good.exists()
    assert bench(monkeypatch, "table", "--scores", folders / "no.json") == 2
    assert "no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [["table", "--table", "v3"], ["score"], ["score", "--max-frames", "-1"], ["sore"]],
)
def test_unknown_words_give_two(arguments):
    assert CliRunner().invoke(app, arguments).exit_code == 2


@pytest.mark.parametrize("table", ["v1", "v2"])
def test_a_narrow_terminal_or_a_pipe_loses_no_digit(monkeypatch, capsys, table):
    monkeypatch.setenv("COLUMNS", "40")
    assert bench(monkeypatch, "table", "--table", table) == 0
    text = capsys.readouterr().out
    assert "Diffused Heads" in text
    assert "…" not in text
    for digits in {"v1": ("30.92", "23.57"), "v2": ("198.84", "12.45", "-3", "6.68")}[table]:
        assert digits in text


@pytest.mark.slow
def test_the_installed_command_answers_from_any_folder(tmp_path):
    code = "from benchmarks.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "table", "--out", "t.csv"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "wrote t.csv"
    assert "Diffused Heads,0.62,19.11,0.74,23.43" in (tmp_path / "t.csv").read_text()
