"""dh-sample as a user meets it: videos, and a sentence with exit code 2 for wrong use."""

from __future__ import annotations

import os
import shutil
import sys
from typing import TYPE_CHECKING

import av
import numpy as np
import pytest
from skimage import data

from model import sample_cli
from model.generate import SampleConfig, choose_sampler
from pipeline.media import read_frames, read_image, write_image
from tests.models import write_noise, write_untrained

if TYPE_CHECKING:
    from pathlib import Path

    from model.network import SpeechFormat
    from model.presets import Preset

QUICK = ("--device", "cpu", "--precision", "float32", "--steps", "3")


def call(monkeypatch, *words: object) -> int:
    """Runs dh-sample in this process and returns its exit code."""
    monkeypatch.setattr(sys, "argv", ["dh-sample", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        sample_cli.sample_main()
    return int(ended.value.code or 0)


def refused(monkeypatch, capsys, *words: object) -> str:
    """What dh-sample says to wrong use: one sentence."""
    assert call(monkeypatch, *words) == 2
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    (sentence,) = [line for line in said.err.splitlines() if line.startswith("error: ")]
    return sentence


@pytest.fixture(scope="module")
def run(
    small: Preset, speech_format: SpeechFormat, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A run's folder with a checkpoint of a network that has learned nothing."""
    folder = tmp_path_factory.mktemp("run")
    write_untrained(folder / "checkpoint-0000001.safetensors", small, speech_format)
    return folder


@pytest.fixture
def given(tmp_path: Path, landmark_task: Path) -> Path:
    """A folder with a picture of a face, one of a wall, and two recordings."""
    write_image(tmp_path / "face.png", np.ascontiguousarray(data.astronaut()[:260, 80:360]))
    write_image(tmp_path / "wall.png", np.full((200, 200, 3), 90, np.uint8))
    rng = np.random.default_rng(0)
    for name, samples in (("long", 3000), ("short", 1200)):
        write_noise(tmp_path / f"{name}.wav", samples, rng)
    return tmp_path


def frames(path: Path) -> np.ndarray:
    """(T, H, W, 3) of a video, or of a folder of pictures."""
    if path.is_dir():
        return np.stack([read_image(one) for one in sorted(path.glob("*.png"))]).astype(int)
    return np.stack(list(read_frames(path))).astype(int)


def test_a_face_and_a_recording_become_a_video(run: Path, given: Path, monkeypatch, capsys):
    words = ("--face", given / "face.png", "--speech", given / "long.wav", "--checkpoint", run)
    assert call(monkeypatch, *words, "--out", given / "new" / "a.mp4", *QUICK) == 0
    assert f"wrote {given}/new/a.mp4" in capsys.readouterr().out
    assert len(frames(given / "new" / "a.mp4")) == 5
    # The checkpoint's own name does as well, and the seed is what makes the video.
    file = run / "checkpoint-0000001.safetensors"
    words = ("--face", given / "face.png", "--speech", given / "long.wav", "--checkpoint", file)
    assert call(monkeypatch, *words, "--out", given / "b.MP4", *QUICK) == 0
    assert call(monkeypatch, *words, "--out", given / "c.mp4", *QUICK, "--seed", "3") == 0
    first, again, other = (frames(given / name) for name in ("new/a.mp4", "b.MP4", "c.mp4"))
    assert np.array_equal(first, again)
    assert np.abs(first - other).mean() > 1


@pytest.mark.parametrize("sampler", ["ancestral", "dpm"])
def test_every_sampler(run: Path, given: Path, monkeypatch, sampler: str):
    words = ("--face", given / "face.png", "--speech", given / "short.wav", "--checkpoint", run)
    words += ("--out", given / "a.mp4", "--sampler", sampler, *QUICK[:-1], "3")
    assert call(monkeypatch, *words) == 0
    assert len(frames(given / "a.mp4")) == 2


def test_the_video_says_how_it_was_drawn(run: Path, given: Path, monkeypatch, small: Preset):
    """Never only that it was `auto`."""
    words = ("--face", given / "face.png", "--speech", given / "short.wav", "--checkpoint", run)
    words += ("--device", "cpu", "--precision", "float32", "--seed", "4")
    auto = choose_sampler(SampleConfig(), small.diffusion.prediction)
    for name, more, sampler, steps in (
        ("a.mp4", (), auto.sampler, auto.steps),
        ("b.mp4", ("--steps", "3"), auto.sampler, 3),
        ("c.webm", ("--sampler", "ddim", "--noise-correlation", "0.5"), "ddim", 10),
    ):
        assert call(monkeypatch, *words, "--out", given / name, *more) == 0
        with av.open(str(given / name)) as container:
            # Matroska writes its keys in capitals.
            told = {key.lower(): value for key, value in container.metadata.items()}
        assert (told["sampler"], told["sampler_steps"], told["seed"]) == (sampler, str(steps), "4")
        assert told["sampler_start"] == "noise"
        assert told["noise_correlation"] == ("0.5" if sampler == "ddim" else "0.8")
        assert told["synthetic"] == "true"


def test_a_list_gives_the_same_videos_however_many_are_made_at_once(
    run: Path, given: Path, monkeypatch, capsys
):
    (given / "pairs.csv").write_text(
        "face,speech,name\nface.png,long.wav,one\nface.png,short.wav,two\nface.png,long.wav,three\n"
    )
    # As pictures: H.264 may make a great deal of a rounding.
    words = ("--pairs", given / "pairs.csv", "--checkpoint", run, "--format", "png", *QUICK)
    assert call(monkeypatch, *words, "--out", given / "together") == 0
    assert capsys.readouterr().out.count("wrote ") == 3
    assert call(monkeypatch, *words, "--out", given / "alone", "--batch", "1") == 0
    videos = {}
    for name, length in (("one", 5), ("two", 2), ("three", 5)):
        videos[name] = frames(given / "together" / name)
        alone = frames(given / "alone" / name)
        assert len(videos[name]) == len(alone) == length
        assert np.abs(videos[name] - alone).max() <= 1
    # The same face and recording with other noise.
    assert np.abs(videos["one"] - videos["three"]).mean() > 1


def test_a_pair_that_cannot_be_used_is_named_and_the_others_are_made(
    run: Path, given: Path, monkeypatch, capsys
):
    (given / "pairs.csv").write_text(
        "face,speech,name\nwall.png,long.wav,a\nface.png,long.wav,b\nface.png,none.wav,c\n"
    )
    words = ("--pairs", given / "pairs.csv", "--checkpoint", run, "--out", given / "out", *QUICK)
    assert call(monkeypatch, *words) == 1
    told = capsys.readouterr()
    assert told.out.splitlines() == [f"wrote {given / 'out' / 'b.mp4'}"]
    failed = [line for line in told.err.splitlines() if line.startswith("failed ")]
    assert [line.split(":")[0] for line in failed] == ["failed a.mp4", "failed c.mp4"]
    assert "no face found in" in failed[0]
    assert "no such file" in failed[1]


def test_a_list_given_again_makes_what_is_missing_and_the_same(
    run: Path, given: Path, monkeypatch, capsys
):
    (given / "pairs.csv").write_text("face,speech,name\nface.png,long.wav,a\nface.png,long.wav,b\n")
    out = given / "out"
    words = ("--pairs", given / "pairs.csv", "--checkpoint", run, "--out", out, *QUICK)
    words += ("--format", "png")  # H.264 may make a great deal of a rounding
    assert call(monkeypatch, *words) == 0
    before = frames(out / "b")
    shutil.rmtree(out / "b")
    kept = {path: path.stat().st_mtime_ns for path in (out / "a").iterdir()}
    capsys.readouterr()
    assert call(monkeypatch, *words) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [f"wrote {out / 'b'}"]
    assert f"kept 1 videos that are in {out} already" in said.err
    assert {path: path.stat().st_mtime_ns for path in (out / "a").iterdir()} == kept
    assert np.abs(frames(out / "b") - before).max() <= 1


def test_a_folder_that_may_not_be_written_is_told_at_once(
    run: Path, given: Path, monkeypatch, capsys
):
    monkeypatch.setattr("os.access", lambda _, mode: mode != os.W_OK)  # not for root
    words = ("--face", given / "face.png", "--speech", given / "short.wav", "--checkpoint", run)
    said = refused(monkeypatch, capsys, *words, "--out", given / "new" / "a.mp4", *QUICK)
    assert f"{given} is not yours to write; choose another" in said


def test_formats_and_what_goes_around_the_frames(run: Path, given: Path, monkeypatch, capsys):
    pair = ("--face", given / "face.png", "--speech", given / "long.wav", "--checkpoint", run)
    for words in (
        ("--out", given / "a.webm", "--preview"),
        ("--out", given / "a", "--format", "png"),
        ("--out", given / "a.gif", "--sampler", "sde", "--start", "previous", "--reanchor", "2"),
        ("--out", given / "b.mp4", "--paste-back"),
    ):
        assert call(monkeypatch, *pair, *words, *QUICK) == 0
    assert len(list(read_frames(given / "a.webm"))) == len(list((given / "a").glob("*.png"))) == 5
    assert (given / "a.preview.png").exists()
    assert next(read_frames(given / "b.mp4")).shape == (260, 280, 3)
    for words, said in (
        (("--out", given / "c.mp4", "--format", "gif"), "--out must end in .gif"),
        (("--out", given / "c.png", "--format", "png"), "--out must have no suffix"),
        (("--out", given / "c.mp4", "--compare"), "--compare needs a video"),
        (("--out", given / "c.mp4", "--compare", "--paste-back"), "exclude each other"),
    ):
        assert said in refused(monkeypatch, capsys, *pair, *words, *QUICK)
        assert not list(given.glob("*c.*"))


@pytest.mark.slow
def test_several_processes_make_the_same_videos(run: Path, given: Path, monkeypatch, capsys):
    (given / "pairs.csv").write_text(
        "face,speech,name\nface.png,long.wav,a\nwall.png,long.wav,b\nface.png,short.wav,c\n"
    )
    words = ("--pairs", given / "pairs.csv", "--checkpoint", run, "--batch", "1", *QUICK)
    assert call(monkeypatch, *words, "--out", given / "here") == 1
    capsys.readouterr()
    assert call(monkeypatch, *words, "--out", given / "there", "--workers", "2") == 1
    told = capsys.readouterr()
    assert sorted(told.out.split()) == sorted(
        ["wrote", str(given / "there" / "a.mp4"), "wrote", str(given / "there" / "c.mp4")]
    )
    assert "failed b.mp4: no face found" in told.err
    for name in ("a.mp4", "c.mp4"):
        assert np.array_equal(frames(given / "here" / name), frames(given / "there" / name))


# --- wrong use ------------------------------------------------------------------------------------


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
        ("--steps", "0"),
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
