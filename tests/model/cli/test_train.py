"""dh-train as a user meets it: what it prints, and a sentence with exit code 2 for wrong use."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from model.cli import train as cli

QUICK = ("--device", "cpu", "--loaders", "0", "--batch-size", "1", "--strip-every", "0")


def call(monkeypatch, *words: object) -> int:
    """Runs dh-train in this process and returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["dh-train", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.train_main()
    return int(ended.value.code or 0)


@pytest.mark.slow
def test_it_trains_and_resumes(drawn_set: Path, tmp_path: Path, monkeypatch, capsys):
    run = tmp_path / "run"
    words = ("--data", drawn_set, "--out", run, "--log-every", "1", *QUICK)
    assert call(monkeypatch, *words, "--steps", "1", "--save-every", "1", "--seed", "7") == 0
    said = capsys.readouterr().out
    assert said.startswith("tiny: ")
    assert "step 1/1 " in said
    assert "crops of 32 x 32 are enlarged to the model's 128 x 128" in said
    saved, then = said.splitlines()[-2:]
    assert saved == f"saved {run}/checkpoint-0000001.safetensors"
    assert then.startswith(f"next: dh-sample --checkpoint {run} --face")
    info = json.loads((run / "checkpoint-0000001.json").read_text())
    assert (info["seed"], info["preset"]["name"]) == (7, "tiny")
    assert info["preset"]["train"]["steps"] == info["preset"]["train"]["batch_size"] == 1

    assert call(monkeypatch, *words, "--steps", "2", "--resume") == 0
    assert "saved" in capsys.readouterr().out
    assert (run / "checkpoint-0000002.safetensors").exists()


def refused(monkeypatch, capsys, *words: object) -> str:
    """What dh-train says to wrong use: one sentence."""
    assert call(monkeypatch, *words) == 2
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert said.err.startswith("error: ")
    assert len(said.err.strip().splitlines()) == 1
    return said.err


def test_data_that_is_not_there(tmp_path: Path, monkeypatch, capsys):
    out = ("--out", tmp_path / "run")
    said = refused(monkeypatch, capsys, "--data", tmp_path / "none", *out)
    assert f"no such folder: {tmp_path}/none" in said
    said = refused(monkeypatch, capsys, "--data", tmp_path, *out)
    assert "is not a finished data set" in said
    assert "dh-prep run" in said
    assert not (tmp_path / "run").exists()


def test_an_unknown_preset(drawn_set: Path, tmp_path: Path, monkeypatch, capsys):
    words = ("--data", drawn_set, "--out", tmp_path / "run", "--preset", "gird")
    said = refused(monkeypatch, capsys, *words)
    assert "unknown preset 'gird'; choose one of" in said
    assert "grid" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--preset", "tiny"),
        ("--data", "x"),
        ("--data", "x", "--out", "y", "--device", "tpu"),
        ("--data", "x", "--out", "y", "--steps", "0"),
        ("--data", "x", "--out", "y", "--batch-size", "0"),
    ],
)
def test_options_that_are_missing_or_unknown(monkeypatch, capsys, words: tuple[str, ...]):
    assert call(monkeypatch, *words) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.slow
def test_folders_that_do_not_fit(drawn_set: Path, tmp_path: Path, monkeypatch, capsys):
    run = tmp_path / "run"
    words = ("--data", drawn_set, "--out", run, "--steps", "1", *QUICK)
    assert "nothing to resume" in refused(monkeypatch, capsys, *words, "--resume")
    assert call(monkeypatch, *words) == 0
    capsys.readouterr()
    assert "holds a run already; add --resume" in refused(monkeypatch, capsys, *words)
    said = refused(monkeypatch, capsys, *words, "--resume", "--preset", "grid")
    assert "was trained with preset 'tiny'" in said
    assert "--preset tiny" in said
    said = refused(monkeypatch, capsys, *words, "--resume", "--set", "unet.base_channels=32")
    assert f"trained with other --set of the network or the diffusion; give those of {run}" in said


@pytest.mark.slow
def test_a_resumed_run_is_told_other_data_by_an_option(
    drawn_set: Path, tmp_path: Path, drawn_sample, write_set, monkeypatch, capsys
):
    other = write_set(tmp_path / "other", [("train", [drawn_sample("else", 5)])])
    words = ("--out", tmp_path / "run", *QUICK)
    assert call(monkeypatch, *words, "--data", drawn_set, "--steps", "1") == 0
    words += ("--data", other, "--steps", "2", "--resume")
    capsys.readouterr()
    said = refused(monkeypatch, capsys, *words)
    assert f"was trained on {drawn_set}, and {other} holds other clips" in said
    assert call(monkeypatch, *words, "--other-data") == 0


def test_a_run_does_not_go_into_a_data_set(drawn_set: Path, monkeypatch, capsys):
    (drawn_set / "plan.json").write_text("{}")  # as dh-prep run leaves it
    before = sorted(drawn_set.iterdir())
    said = refused(monkeypatch, capsys, "--data", drawn_set, "--out", drawn_set, *QUICK)
    assert "is a data set; name a folder of its own with --out" in said
    assert sorted(drawn_set.iterdir()) == before


@pytest.mark.slow
def test_a_checkpoint_that_was_cut_off(drawn_set: Path, tmp_path: Path, monkeypatch, capsys):
    """The sentence names the newest whole one, and --resume takes that once it is alone."""
    run = tmp_path / "run"
    words = ("--data", drawn_set, "--out", run, "--steps", "3", "--save-every", "1", *QUICK)
    assert call(monkeypatch, *words) == 0
    capsys.readouterr()
    first, second, third = sorted(run.glob("*.safetensors"))
    for path, length in ((third, 5000), (second, -1)):  # in the header, and by one byte
        path.write_bytes(path.read_bytes()[:length])
    for more in ((), ("--workers", "2", "--batch-size", "2")):
        said = refused(monkeypatch, capsys, *words, *more, "--resume")
        assert f"{third} is not a whole" in said
        assert f"whole one is {first}" in said
    second.unlink()
    third.unlink()
    assert call(monkeypatch, *words, "--resume") == 0
    first.write_bytes(b"")
    second.unlink()
    third.unlink()
    assert "no other checkpoint" in refused(monkeypatch, capsys, *words, "--resume")


def test_help_names_every_option_and_the_presets(monkeypatch, capsys):
    assert call(monkeypatch, "--help") == 0
    said = capsys.readouterr().out
    for word in ("--data", "--out", "--preset", "--resume", "--precision", "--seed", "--loaders"):
        assert word in said
    for name in ("tiny", "grid", "crema", "lrw"):
        assert name in said


@pytest.mark.slow
def test_a_fault_ends_the_command_though_readers_are_running(drawn_set: Path, tmp_path: Path):
    """Readers leave SIGTERM be, by which Python would end them at exit."""
    program = (
        "from model.cli.train import train_main\nif __name__ == '__main__':\n    train_main()\n"
    )
    (tmp_path / "program.py").write_text(program)
    words = ["--data", drawn_set, "--out", tmp_path / "run", *QUICK, "--loaders", "1"]
    words += ["--set", "train.learning_rate=1e39", "--set", "train.warmup=0", "--steps", "20"]
    done = subprocess.run(
        [sys.executable, tmp_path / "program.py", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 2
    assert "training diverged" in done.stderr
