"""The authors' speech encoder, stood in for by a small one of the same interface."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.dataset.check import check_dataset
from pipeline.dataset.shards import read_samples
from pipeline.errors import UserError
from pipeline.files import sha256_file
from pipeline.speech.features import SHAPES, speech_features
from pipeline.speech.mfcc import mfcc_windows
from pipeline.speech.released_encoder import ReleasedSpeech
from tests.datasets import content, run_prep, write_talker
from tests.scripts import OneArgument, PositionalEncoder, RecurrentEncoder, write_script


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder of weights that holds an encoder."""
    folder = tmp_path_factory.mktemp("weights")
    write_script(folder / "audio_encoder.pt", RecurrentEncoder(seed=1))
    return folder


def sound(frames: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, 3000, frames * 640).astype(np.int16)


def by_hand(samples: np.ndarray, frames: int, seed: int = 1) -> np.ndarray:
    """The encoder in NumPy, in float64, window by window around each frame's middle."""
    a, b, c = (value.detach().double().numpy() for value in RecurrentEncoder(seed).parameters())
    silence = np.zeros(4000)
    padded = np.concatenate([silence, samples / 32768, silence, silence])
    first = second = np.zeros(256)
    embeddings = []
    for frame in range(frames):
        middle = 4000 + frame * 640 + 320
        first = np.tanh(0.5 * first + padded[middle - 1600 : middle + 1600] @ a)
        second = np.tanh(0.5 * second + first @ b)
        embeddings.append(second @ c)
    return np.stack(embeddings)


def test_an_embedding_for_every_frame_and_a_state_that_is_carried_on(weights: Path):
    samples = sound(9)
    got = ReleasedSpeech(weights / "audio_encoder.pt")(samples, 9)
    assert (got.shape, got.dtype) == ((9, 256), np.float32)
    wanted = by_hand(samples, 9)
    assert wanted.std() > 0.1
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)
    # What was heard long ago is still in the state.
    changed = samples.copy()
    changed[:640] = 0
    assert np.abs(ReleasedSpeech(weights / "audio_encoder.pt")(changed, 9)[8] - got[8]).max() > 1e-6


def test_the_state_is_found_by_its_name_or_by_its_place(tmp_path: Path, weights: Path):
    other = write_script(tmp_path / "other.pt", PositionalEncoder(seed=1))
    samples = sound(4)
    expected = ReleasedSpeech(weights / "audio_encoder.pt")(samples, 4)
    assert np.array_equal(ReleasedSpeech(other)(samples, 4), expected)


def test_every_recording_begins_anew_and_gives_the_same_bits(weights: Path):
    encoder = ReleasedSpeech(weights / "audio_encoder.pt")
    samples = sound(6)
    first = encoder(samples, 6)
    encoder(sound(3, seed=5), 3)
    assert np.array_equal(encoder(samples, 6), first)
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        assert np.array_equal(ReleasedSpeech(weights / "audio_encoder.pt")(samples, 6), first)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(threads)


def test_sound_that_is_too_short_or_long_is_fitted(weights: Path):
    encoder = ReleasedSpeech(weights / "audio_encoder.pt")
    samples = sound(8)
    padded = np.pad(samples[:3000], (0, 8 * 640 - 3000))
    assert np.array_equal(encoder(samples[:3000], 8), encoder(padded, 8))
    assert np.array_equal(encoder(samples, 5), encoder(samples[: 5 * 640], 5))
    assert encoder(samples[:10], 1).shape == (1, 256)


def test_the_two_kinds_of_features(weights: Path):
    samples = sound(5)
    assert np.array_equal(speech_features("mfcc")(samples, 5), mfcc_windows(samples, 5))
    got = speech_features("released", weights / "audio_encoder.pt")(samples, 5)
    assert got.shape == (5, SHAPES["released"].dim) == (5, 256)
    assert SHAPES["mfcc"].dim == 234


# --- files that are something else ----------------------------------------------------------------


def test_no_torchscript(tmp_path: Path, weights: Path):
    (tmp_path / "text.pt").write_text("no script")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "tensors.pt")
    cut = (weights / "audio_encoder.pt").read_bytes()
    (tmp_path / "cut.pt").write_bytes(cut[: len(cut) // 2])
    for name in ("text.pt", "tensors.pt", "cut.pt", "none.pt"):
        with pytest.raises(
            UserError, match=rf"{name} is not the authors' speech encoder, a Tor"
        ) as e:
            ReleasedSpeech(tmp_path / name)
        assert "\n" not in str(e.value)


@pytest.mark.parametrize(
    ("module", "said"),
    [(OneArgument(), "does not take"), (RecurrentEncoder(1, width=128), "its output is not")],
    ids=["one argument", "narrow"],
)
def test_torchscript_of_another_kind(tmp_path: Path, module: torch.nn.Module, said: str):
    encoder = ReleasedSpeech(write_script(tmp_path / "other.pt", module))
    with pytest.raises(UserError, match=said) as caught:
        encoder(sound(2), 2)
    assert "\n" not in str(caught.value)


# --- a whole data set -----------------------------------------------------------------------------


@pytest.mark.slow
def test_a_data_set_of_embeddings(tmp_path: Path, weights: Path, landmark_task: Path):
    weights = shutil.copytree(weights, tmp_path / "weights")
    write_talker(tmp_path / "videos" / "a.mp4", 10)
    write_talker(tmp_path / "videos" / "b.mp4", 8, shift=2)
    words = (tmp_path / "videos", "--speech", "released", "--image-size", "64", "--workers", "0")
    words += ("--clips-per-shard", "1", "--weights-dir", weights)
    shutil.copy(landmark_task, weights)
    done = run_prep(*words, "--out", tmp_path / "set")
    assert done.returncode == 0, done.stderr

    encoder = ReleasedSpeech(weights / "audio_encoder.pt")
    for sample in read_samples(tmp_path / "set"):
        assert sample.meta["speech_dim"] == 256
        assert np.array_equal(sample.speech, encoder(sample.audio, len(sample.frames)))
    told = json.loads((tmp_path / "set" / "dataset.json").read_text())
    digest = sha256_file(weights / "audio_encoder.pt")
    assert told["options"]["speech"] == "released"
    assert told["options"]["speech_encoder"] == told["speech"]["encoder"] == digest
    described = {name: told["speech"][name] for name in ("name", "dim", "steps", "coefficients")}
    assert described == {"name": "released", "dim": 256, "steps": 1, "coefficients": 256}
    speech = np.concatenate([sample.speech for sample in read_samples(tmp_path / "set")])
    np.testing.assert_allclose(told["speech"]["mean"], speech.mean(0), atol=2e-5)
    np.testing.assert_allclose(told["speech"]["std"], speech.std(0), atol=2e-5)
    assert check_dataset(tmp_path / "set").problems == []

    # Two workers write the same bytes; another encoder is not mixed in.
    parallel = [word if word != "0" else "2" for word in map(str, words)]
    assert run_prep(*parallel, "--out", tmp_path / "two").returncode == 0
    assert content(tmp_path / "two") == content(tmp_path / "set")
    write_script(weights / "audio_encoder.pt", RecurrentEncoder(seed=2))
    mixed = run_prep(*words, "--out", tmp_path / "set")
    assert mixed.returncode == 2
    assert "speech_encoder" in mixed.stderr


def test_without_the_encoder_one_sentence_says_where_it_is(
    tmp_path: Path, landmark_task: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("DH_WEIGHTS", raising=False)
    write_talker(tmp_path / "videos" / "a.mp4", 6)
    done = run_prep(tmp_path / "videos", "--speech", "released", "--out", tmp_path / "set")
    assert done.returncode == 2
    (sentence,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    for part in ("audio_encoder.pt", "by hand from https://drive.google.com/", "DH_WEIGHTS"):
        assert part in sentence
    assert not (tmp_path / "set").exists()
