"""Wrong use of dh-sample: a sentence, exit code 2, and nothing written."""

import os
import shutil
from pathlib import Path

import pytest

from model.config.presets import Preset
from tests.model.cli.calling import QUICK, call, refused


def test_neither_a_face_nor_a_list(run: Path, given: Path, monkeypatch, capsys):
    out = ("--checkpoint", run, "--out", given / "a.mp4")
    face, speech = ("--face", given / "face.png"), ("--speech", given / "long.wav")
    pairs = ("--pairs", given / "pairs.csv")
    for words in ((), face, speech, pairs + face, pairs + speech, pairs + face + speech):
        said = refused(monkeypatch, capsys, *out, *words)
        assert "give either --face and --speech, or --pairs" in said


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--face", "wall.png", "no face found in"),
        ("--face", "none.png", "no such file"),
        ("--face", "long.wav", "holds no video stream"),
        ("--speech", "none.wav", "no such file"),
        ("--speech", "face.png", "holds no sound"),
        ("--checkpoint", "none", "no such checkpoint"),
        ("--checkpoint", ".", "no checkpoint in"),
        ("--checkpoint", "face.png", "face.png is no checkpoint; name a run's folder"),
        ("--out", "a.avi", "--out must end in .mp4, .webm, .gif"),
        ("--out", "taken.mp4", "exists already"),
        ("--out", "face.png/a.mp4", "a folder in it is a file"),
    ],
)
def test_wrong_files(
    run: Path, given: Path, monkeypatch, capsys, option: str, value: str, said: str
):
    (given / "taken.mp4").write_bytes(b"mine")
    words = {
        "--checkpoint": run,
        "--face": given / "face.png",
        "--speech": given / "long.wav",
        "--out": given / "a.mp4",
        option: given / value,
    }
    flat = [word for pair in words.items() for word in pair]
    assert said in refused(monkeypatch, capsys, *flat, *QUICK)
    assert not (given / "a.mp4").exists()
    assert (given / "taken.mp4").read_bytes() == b"mine"


def test_a_preview_replaces_no_picture(run: Path, given: Path, monkeypatch, capsys):
    (given / "a.preview.png").write_bytes(b"mine")
    words = ("--face", given / "face.png", "--speech", given / "short.wav", "--checkpoint", run)
    said = refused(monkeypatch, capsys, *words, "--out", given / "a.mp4", "--preview", *QUICK)
    assert "a.preview.png exists already; move it away, or leave out --preview" in said
    assert (given / "a.preview.png").read_bytes() == b"mine"
    assert not (given / "a.mp4").exists()


def test_a_folder_that_may_not_be_written_is_told_at_once(
    run: Path, given: Path, monkeypatch, capsys
):
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)  # not for root
    words = ("--face", given / "face.png", "--speech", given / "short.wav", "--checkpoint", run)
    said = refused(monkeypatch, capsys, *words, "--out", given / "new" / "a.mp4", *QUICK)
    assert f"no permission to write in {given};" in said


def test_a_checkpoint_of_another_preset(run: Path, given: Path, small: Preset, monkeypatch, capsys):
    """The JSON of one beside the tensors of another."""
    copied = given / "checkpoint-0000001.safetensors"
    shutil.copy(run / copied.name, copied)
    text = (run / "checkpoint-0000001.json").read_text()
    changed = text.replace('"base_channels": 16', '"base_channels": 32')
    assert changed != text
    copied.with_suffix(".json").write_text(changed)
    words = ("--face", given / "face.png", "--speech", given / "long.wav", "--out", given / "a.mp4")
    said = refused(monkeypatch, capsys, *words, "--checkpoint", copied)
    assert "does not fit its preset" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("face,sound\nface.png,long.wav\n", "needs the columns face and speech"),
        ("face,speech\n", "lists no pair"),
    ],
)
def test_wrong_lists(run: Path, given: Path, monkeypatch, capsys, text: str, said: str):
    (given / "pairs.csv").write_text(text)
    words = ("--pairs", given / "pairs.csv", "--checkpoint", run, "--out", given / "out", *QUICK)
    assert said in refused(monkeypatch, capsys, *words)
    assert not (given / "out").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("--steps", "-1"),
        ("--steps", "1001"),
        ("--sampler", "euler"),
        ("--batch", "0"),
        ("--noise-correlation", "1.1"),
    ],
)
def test_options_out_of_range(monkeypatch, capsys, words: tuple[str, ...]):
    assert call(monkeypatch, "--checkpoint", "x", "--out", "y", *words) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_help_names_every_option(monkeypatch, capsys):
    assert call(monkeypatch, "--help") == 0
    said = capsys.readouterr().out
    for word in ("--checkpoint", "--face", "--speech", "--pairs", "--out", "--sampler", "--seed"):
        assert word in said
