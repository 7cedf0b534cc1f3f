"""A checkpoint that is quick, and files to make a video of."""

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from model.config.presets import Preset
from model.network.talking_head import SpeechFormat
from pipeline.media import write_image
from tests.models import write_noise, write_untrained


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
