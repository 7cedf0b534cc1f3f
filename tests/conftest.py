"""What tests share: where the real clips and the landmark nets lie, a Ray, folders made once."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
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


# Ray asks those who name an address for a token only if they say so.
_OPEN = {"RAY_AUTH_MODE": "disabled"}


@pytest.fixture(scope="session")
def _ray_address() -> Iterator[str]:
    """The address of a Ray on this machine, which a process keeps until its input ends."""
    code = """
import sys
from pipeline.parallel.session import ray_session
with ray_session(None) as ray:
    print("address", ray.get_runtime_context().gcs_address, flush=True)
    sys.stdin.read()
"""
    pipe = subprocess.PIPE
    words, environment = [sys.executable, "-c", code], os.environ | _OPEN
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, text=True, env=environment) as ray:
        word, _, address = ray.stdout.readline().strip().partition(" ")
        assert word == "address", "Ray did not start"
        yield address
        ray.stdin.close()


@pytest.fixture
def running_ray(_ray_address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands and calls of a test that does not need a Ray of its own use one that runs."""
    for name, value in {"RAY_ADDRESS": _ray_address, **_OPEN}.items():
        monkeypatch.setenv(name, value)
