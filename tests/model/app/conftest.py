"""A server that listens, with a model that is quick, and files to send it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest
from skimage import data

from model.app.server import PageServer
from model.app.upload_jobs import Desk
from model.sampling.batch import SampleRun, load
from model.sampling.sample_config import SampleConfig
from model.sampling.video_writer import OutputOptions
from pipeline.media import write_image
from tests.model.app.asking import LIMITS
from tests.models import write_noise, write_untrained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from model.config.presets import Preset


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a face, a wall, and recordings of 0.4 and 3 seconds."""
    folder = tmp_path_factory.mktemp("given")
    write_image(folder / "face.jpg", np.ascontiguousarray(data.astronaut()[:260, 80:360]))
    write_image(folder / "wall.png", np.full((200, 200, 3), 90, np.uint8))
    rng = np.random.default_rng(0)
    for name, samples in (("short", 6400), ("long", 48_000)):
        write_noise(folder / f"{name}.wav", samples, rng)
    return folder


@pytest.fixture(scope="module")
def server(
    small: Preset, speech_format, landmark_task: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PageServer]:
    folder = tmp_path_factory.mktemp("served")
    write_untrained(folder / "run.safetensors", small, speech_format)
    run = SampleRun(
        folder / "run.safetensors", SampleConfig("ddim", 2), OutputOptions(), device="cpu"
    )
    (folder / "kept").mkdir()
    desk = Desk(load(run), folder / "kept", LIMITS)
    with PageServer(("127.0.0.1", 0), desk, LIMITS) as serving:
        thread = threading.Thread(target=serving.serve_forever)
        thread.start()
        yield serving
        serving.shutdown()
        thread.join()
