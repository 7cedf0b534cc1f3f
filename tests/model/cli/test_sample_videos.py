"""Videos by dh-sample: of one pair, of a list, in every format, by several processes."""

import shutil
from pathlib import Path

import av
import numpy as np
import pytest

from model.config.presets import Preset
from model.sampling import batch
from model.sampling.sample_config import SampleConfig, choose_sampler
from pipeline.media import read_frames
from tests.model.cli.calling import QUICK, call, frames, refused


@pytest.mark.slow
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


@pytest.mark.slow
def test_the_video_says_how_it_was_drawn(run: Path, given: Path, monkeypatch, small: Preset):
    """Never only that it was `auto`."""
    words = ("--face", given / "face.png", "--speech", given / "short.wav", "--checkpoint", run)
    words += ("--device", "cpu", "--precision", "float32", "--seed", "4")
    auto = choose_sampler(SampleConfig(), small.diffusion)
    correlated = ("--noise-correlation", "0.5", "--reanchor", "2")
    for name, more, sampler, steps in (
        ("a.mp4", (), auto.sampler, auto.steps),
        ("b.mp4", ("--steps", "3"), auto.sampler, 3),
        ("c.webm", ("--sampler", "ddim", *correlated), "ddim", 10),
    ):
        assert call(monkeypatch, *words, "--out", given / name, *more) == 0
        with av.open(str(given / name)) as container:
            # Matroska writes its keys in capitals.
            told = {key.lower(): value for key, value in container.metadata.items()}
        assert (told["sampler"], told["sampler_steps"], told["seed"]) == (sampler, str(steps), "4")
        assert told["sampler_start"] == "noise"
        assert told["noise_correlation"] == ("0.5" if sampler == "ddim" else "0.8")
        assert told["reanchor"] == ("2" if sampler == "ddim" else "0")
        assert told["synthetic"] == "true"


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.parametrize("where", ["read_inputs", "make_videos"])
def test_a_pair_that_fails_in_any_way_ends_no_other(
    given: Path, run: Path, where: str, monkeypatch, capsys
):
    works = getattr(batch, where)

    def broken(first, second, *more, **options):
        jobs = [first] if where == "read_inputs" else [one.job for one in more[0]]
        if any(job.out.stem == "a" for job in jobs):
            raise ZeroDivisionError("never thought of")
        return works(first, second, *more, **options)

    monkeypatch.setattr(batch, where, broken)
    pairs = given / "pairs.csv"
    pairs.write_text("face,speech,name\nface.png,short.wav,a\nface.png,short.wav,b\n")
    words = ("--pairs", pairs, "--checkpoint", run, "--out", given / "out", *QUICK)
    assert call(monkeypatch, *words) == 1
    assert [path.name for path in (given / "out").iterdir()] == ["b.mp4"]
    said = capsys.readouterr().err
    assert "failed a.mp4: ZeroDivisionError: never thought of" in said
    assert "Traceback" in said  # a fault of ours is not hidden
