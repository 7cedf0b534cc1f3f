"""A running dh-sample serve with a model that is quick, and files to send it."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from model.config.presets import Preset
from pipeline.media import Audio, write_image, write_video
from tests.models import write_noise, write_untrained


@pytest.fixture(scope="session")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a face, a wall, a talking film, and recordings of 0.4 and 3 seconds."""
    folder = tmp_path_factory.mktemp("given")
    face = np.ascontiguousarray(data.astronaut()[:260, 80:360])
    write_image(folder / "face.jpg", face)
    write_image(folder / "wall.png", np.full((200, 200, 3), 90, np.uint8))
    rng = np.random.default_rng(0)
    sound = Audio(rng.normal(0, 3000, 6400).astype("<i2"))
    write_video(folder / "film.mp4", [face] * 10, audio=sound)
    for name, samples in (("short", 6400), ("long", 48_000)):
        write_noise(folder / f"{name}.wav", samples, rng)
    (folder / "junk.wav").write_text("no sound")
    (folder / "huge.wav").write_bytes(b"RIFF\0\0\0\0WAVE" + bytes(2_000_000))
    return folder


@pytest.fixture(scope="session")
def checkpoint(
    small: Preset, speech_format, landmark_task: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    path = tmp_path_factory.mktemp("run") / "run.safetensors"
    write_untrained(path, small, speech_format)
    return path


@contextmanager
def running(checkpoint: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process of dh-sample serve and its address, once it listens."""
    program = "import sys; from model.cli.sample import sample_main; sys.exit(sample_main())"
    words = ("--checkpoint", str(checkpoint), "--port", "0", "--device", "cpu", *words)
    process = subprocess.Popen(
        [sys.executable, "-c", program, "serve", "--sampler", "ddim", "--steps", "2", *words],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        found = re.search(r"http://\S+", line)
        assert found, f"dh-sample serve does not start: {line}"
        yield process, found[0]
    finally:
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


@pytest.fixture(scope="session")
def served(checkpoint: Path) -> Iterator[str]:
    """The address of a page that takes files of 1 MB and recordings of 10 seconds."""
    with running(checkpoint, "--max-megabytes", "1", "--max-seconds", "10") as (_, url):
        yield url
