"""Frames from Python, one by one."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from model import SampleConfig, generate, load_model
from model.config.presets import Preset
from model.sampling.sample_config import choose_sampler
from pipeline.errors import UserError
from pipeline.media import write_image
from pipeline.media.audio import wav_bytes
from tests.models import write_untrained

QUICK = SampleConfig("ddim", 2)


@pytest.fixture
def run(small: Preset, speech_format, tmp_path: Path, landmark_task: Path, monkeypatch) -> Path:
    """A run's folder with a checkpoint of a network that has learned nothing."""
    monkeypatch.setenv("DH_WEIGHTS", str(landmark_task.parent))
    write_untrained(tmp_path / "run" / "checkpoint-0000001.safetensors", small, speech_format)
    return tmp_path / "run"


@pytest.mark.slow
def test_files_and_arrays_give_the_same_frames_one_by_one(run: Path, tmp_path: Path):
    face = np.ascontiguousarray(data.astronaut()[:260, 80:360])
    sound = np.random.default_rng(0).integers(-9000, 9000, 3300, dtype=np.int16)
    write_image(tmp_path / "face.png", face)
    (tmp_path / "speech.wav").write_bytes(wav_bytes(sound))
    loaded = load_model(run, QUICK)
    of_arrays = list(generate(face, sound, loaded, seed=3))
    frames = generate(str(tmp_path / "face.png"), tmp_path / "speech.wav", run, QUICK, seed=3)
    first = next(frames)
    of_files = [first, *frames]
    assert len(of_files) == len(of_arrays) == 6
    assert first.shape == (32, 32, 3)
    assert first.dtype == np.uint8
    for one, other in zip(of_files, of_arrays, strict=True):
        assert np.array_equal(one, other)
    assert not np.array_equal(next(generate(face, sound, loaded, seed=4)), first)
    # Sound of another kind, whole or in pieces.
    floats = np.repeat(sound / 32768, 3).astype(np.float32)
    whole = list(generate(face, floats, loaded, seed=3, rate=48_000))
    assert len(whole) == 6
    parts = list(generate(face, iter(np.split(floats, 4)), loaded, seed=3, rate=48_000))
    assert np.array_equal(whole, parts)


def test_without_a_config_the_sampler_is_chosen_when_the_checkpoint_is_loaded(
    run: Path, small: Preset
):
    found = load_model(run).config
    assert found.sampler != "auto"
    assert replace(found, precision="float32") == choose_sampler(SampleConfig(), small.diffusion)


def test_a_loaded_model_takes_no_second_config(run: Path):
    with pytest.raises(ValueError, match="load_model"):
        next(generate("face.png", "speech.wav", load_model(run, QUICK), QUICK))


def test_the_device_and_precision_may_be_chosen(run: Path):
    loaded = load_model(run, device="cpu", precision="bf16")
    assert (loaded.denoiser.device.type, loaded.config.precision) == ("cpu", "bf16")


@pytest.mark.slow
def test_inputs_that_cannot_be_used(run: Path):
    face, sound = data.astronaut(), np.ones(700, np.int16)
    with pytest.raises(UserError, match="no face found in the picture"):
        next(generate(np.full((99, 99, 3), 70, np.uint8), sound, run, QUICK))
    with pytest.raises(UserError, match="the speech is empty"):
        next(generate(face, sound[:0], run, QUICK))
    with pytest.raises(UserError, match=r"not \(700, 2\) int16"):
        next(generate(face, np.stack([sound, sound], axis=1), run, QUICK))
    for wrong in (face / 255, face[..., 0], np.dstack([face, face[..., :1]])):
        with pytest.raises(UserError, match=r"a face is \(H, W, 3\) uint8 RGB, not"):
            next(generate(wrong, sound, run, QUICK))
    with pytest.raises(UserError, match="no such checkpoint"):
        next(generate(face, sound, run / "none", QUICK))
