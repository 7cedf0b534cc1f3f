"""What tests share: where the real clips and the landmark nets lie, a Ray, folders made once."""

import os
import shutil
import signal
from collections.abc import Callable
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest

from pipeline.faces.tracking import MediaPipeTracker
from pipeline.weights import find

# A shell that starts `make test &` has it ignore Ctrl-C, and so would all commands that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the files with slow tests first, so that no core waits for one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


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


@pytest.fixture(scope="session")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a folder once for all processes of pytest-xdist, none of which may change it.

    `made_once(name, write)` returns the folder of that name after `write(folder)` has filled it.
    """
    root = tmp_path_factory.getbasetemp()
    root = root.parent if "PYTEST_XDIST_WORKER" in os.environ else root

    def make(name: str, write: Callable[[Path], object]) -> Path:
        folder, done = root / name, root / f"{name}.done"
        with (root / f"{name}.lock").open("w") as lock:
            flock(lock, LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                write(folder)
                done.touch()
        return folder

    return make
