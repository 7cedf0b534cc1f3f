"""What tests share: where the real clips and the landmark nets lie."""

import signal
from pathlib import Path

import pytest

from pipeline.faces.tracking import MediaPipeTracker
from pipeline.weights import find

# A shell that starts `make test &` has it ignore Ctrl-C, and so would all commands that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real talking-head clips beside the project; skips where it is absent."""
    if not SHARED_DATA.is_dir():
        pytest.skip(f"needs the real clips in {SHARED_DATA}, which this machine does not have")
    return SHARED_DATA


@pytest.fixture(scope="session")
def shared_cases() -> Path:
    """The folder of small inputs that once went wrong; skips where it is absent."""
    cases = SHARED_DATA.parent / "cases"
    if not cases.is_dir():
        pytest.skip(f"needs the inputs in {cases}, which this machine does not have")
    return cases


@pytest.fixture(scope="session")
def landmark_task() -> Path:
    """The landmark networks; skips where they were not fetched (make install fetches them)."""
    path = find("face_landmarker.task")
    if path is None:
        pytest.skip("needs face_landmarker.task; fetch it with: dh-prep doctor --fetch")
    return path


@pytest.fixture(scope="session")
def tracker(landmark_task: Path) -> MediaPipeTracker:
    """A landmark tracker, loaded once."""
    return MediaPipeTracker(landmark_task)
