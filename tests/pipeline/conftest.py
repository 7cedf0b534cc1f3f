"""What tests of the pipeline share: a face, and the stages of a run."""

from pathlib import Path

import numpy as np
import pytest
from skimage import data

from pipeline.dataset.prep_options import PrepOptions
from pipeline.run.clip import Stage
from pipeline.run.stages import default_stages


@pytest.fixture(scope="module")
def face() -> np.ndarray:
    """A face in a frame of 260 x 240, from a public-domain photograph."""
    return np.ascontiguousarray(data.astronaut()[:240, 90:350, :3])


@pytest.fixture(scope="module")
def stages(landmark_task: Path) -> list[Stage]:
    """The stages of a run with its defaults."""
    return default_stages(PrepOptions(), {"face_landmarker.task": landmark_task})
