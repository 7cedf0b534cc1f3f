"""dh-sample with the authors' checkpoints, as a user meets it."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from model.cli import sample as sample_cli
from model.network.talking_head import SpeechFormat
from model.sampling.inputs import features_of
from pipeline.errors import UserError
from pipeline.files import sha256_file
from pipeline.media import read_frames, write_image
from pipeline.media.audio import wav_bytes
from pipeline.speech.mfcc import mfcc_windows
from pipeline.speech.released_encoder import ReleasedSpeech
from tests.released_files import HYPER, write_lightning
from tests.released_network import Shape, weights
from tests.scripts import Demo, RecurrentEncoder, write_script

# As wide as the authors' embeddings are, and one level deep.
WIDE = Shape(base=256, multiples=(1,), attention=())
QUICK = ("--device", "cpu", "--precision", "float32", "--steps", "2")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, landmark_task: Path) -> Path:
    """The authors' files, made up; a face and two recordings."""
    made = tmp_path_factory.mktemp("authors")
    write_lightning(made / "crema.ckpt", weights(WIDE), HYPER | {"image_size": 32})
    write_script(made / "crema_script.pt", Demo(weights(WIDE)))
    (made / "weights").mkdir()
    write_script(made / "weights" / "audio_encoder.pt", RecurrentEncoder(seed=1))
    (made / "weights" / landmark_task.name).write_bytes(landmark_task.read_bytes())
    (made / "others").mkdir()
    write_script(made / "others" / "audio_encoder.pt", RecurrentEncoder(seed=2))
    write_image(made / "face.png", np.ascontiguousarray(data.astronaut()[:260, 80:360]))
    for name, seed in (("one", 0), ("two", 1)):
        sound = np.random.default_rng(seed).normal(0, 9000, 2600).clip(-32768, 32767)
        (made / f"{name}.wav").write_bytes(wav_bytes(sound))
    return made


@pytest.fixture
def call(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    """Runs dh-sample in this process; gives its exit code and what it said."""
    monkeypatch.setenv("DH_WEIGHTS", str(folder / "weights"))

    def run(*words: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["dh-sample", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            sample_cli.sample_main()
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return int(ended.value.code or 0), said.out + said.err

    return run


def frames(path: Path) -> np.ndarray:
    return np.stack(list(read_frames(path))).astype(int)


@pytest.mark.slow
def test_from_their_checkpoint_to_a_video(folder: Path, tmp_path: Path, call):
    def talk(checkpoint: Path, out: str, speech: str = "one", *more: object) -> np.ndarray:
        words = ("--face", folder / "face.png", "--speech", folder / f"{speech}.wav", *QUICK)
        code, said = call("--checkpoint", checkpoint, *words, "--out", tmp_path / out, *more)
        assert code == 0, said
        return frames(tmp_path / out)

    direct = talk(folder / "crema.ckpt", "direct.mp4")
    assert direct.shape == (5, 32, 32, 3)
    # Converted, it is the same model.
    code, said = call("--checkpoint", folder / "crema.ckpt", "--out", tmp_path / "my.safetensors")
    assert code == 0
    assert f"wrote {tmp_path / 'my.safetensors'} and my.json: preset released, 32 x 32" in said
    assert "2 RGB motion frames, released speech" in said
    assert np.array_equal(talk(tmp_path / "my.safetensors", "converted.mp4"), direct)
    # It sound the speech, with the encoder of the user's folder.
    assert np.abs(talk(folder / "crema.ckpt", "two.mp4", "two") - direct).mean() > 0.5
    (tmp_path / "weights").mkdir()
    for source in ("others/audio_encoder.pt", "weights/face_landmarker.task"):
        (tmp_path / "weights" / source.split("/")[1]).write_bytes((folder / source).read_bytes())
    other = talk(folder / "crema.ckpt", "other.mp4", "one", "--weights-dir", tmp_path / "weights")
    assert np.abs(other - direct).mean() > 0.5


@pytest.mark.slow
def test_several_processes_make_videos_with_their_checkpoint(folder: Path, tmp_path: Path, call):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(
        f"face,speech\n{folder}/face.png,{folder}/one.wav\n{folder}/face.png,{folder}/two.wav\n"
    )
    words = ("--checkpoint", folder / "crema.ckpt", "--pairs", pairs, "--workers", "2", *QUICK)
    code, said = call(*words, "--out", tmp_path / "made")
    assert code == 0, said
    assert sorted(path.name for path in (tmp_path / "made").iterdir()) == [
        "face__one.mp4",
        "face__two.mp4",
    ]


def test_from_the_demo_model_to_a_video(folder: Path, tmp_path: Path, call):
    words = ("--face", folder / "face.png", "--speech", folder / "one.wav", *QUICK)
    words += ("--checkpoint", folder / "crema_script.pt")
    code, said = call(*words, "--out", tmp_path / "demo.mp4")
    assert code == 0, said
    assert frames(tmp_path / "demo.mp4").shape == (5, 128, 128, 3)


@pytest.mark.parametrize(
    ("checkpoint", "said"),
    [
        ("weights/audio_encoder.pt", "is not the authors' demo model"),
        ("cut.ckpt", "is not a whole checkpoint"),
    ],
)
def test_files_that_are_something_else(
    folder: Path, tmp_path: Path, call, checkpoint: str, said: str
):
    (folder / "cut.ckpt").write_bytes((folder / "crema.ckpt").read_bytes()[:9999])
    words = ("--face", folder / "face.png", "--speech", folder / "one.wav", *QUICK)
    code, told = call("--checkpoint", folder / checkpoint, *words, "--out", tmp_path / "a.mp4")
    assert code == 2
    assert said in told
    code, told = call("--checkpoint", folder / "cut.ckpt", "--out", tmp_path / "a.safetensors")
    assert code == 2
    assert list(tmp_path.iterdir()) == []


def test_the_encoder_must_be_the_one_of_the_training_data(folder: Path):
    weights = folder / "weights"
    speech = SpeechFormat(1, 256, [0.0] * 256, [1.0] * 256, "released")
    samples = np.arange(3200, dtype=np.int16)
    expected = ReleasedSpeech(weights / "audio_encoder.pt")(samples, 5)
    for encoder in ("", sha256_file(weights / "audio_encoder.pt")):
        featurise = features_of(replace(speech, encoder=encoder), weights)
        assert np.array_equal(featurise(samples, 5), expected)
    with pytest.raises(UserError, match=r"another speech encoder than .* \(SHA-256 abc\)"):
        features_of(replace(speech, encoder="abc"), weights)
    with pytest.raises(UserError, match="embeddings of 64 numbers; the authors' encoder makes 256"):
        features_of(replace(speech, coefficients=64), weights)
    assert features_of(replace(speech, name="mfcc"), folder / "none") is mfcc_windows


def test_without_their_encoder(folder: Path, tmp_path: Path, call, monkeypatch):
    (tmp_path / "none").mkdir()
    monkeypatch.setenv("DH_WEIGHTS", str(tmp_path / "none"))
    words = ("--face", folder / "face.png", "--speech", folder / "one.wav", *QUICK)
    code, told = call("--checkpoint", folder / "crema.ckpt", *words, "--out", tmp_path / "a.mp4")
    assert code == 2
    assert "audio_encoder.pt (the authors' speech encoder" in told
    assert "by hand from https://" in told
