"""Measurements kept by what they were made of: a run resumes and measures no video twice.

An entry's name is the SHA-256 of the video's bytes, of the options that shape the measurement and
of the code that makes it: another video, option or version of the metrics finds nothing here. The
folder may be deleted at any time.
"""

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.files import atomic_path, json_bytes, read_json, write_bytes

ROOT = Path(__file__).parents[2]
# Rooms whose code shapes a measurement.
ROOMS = (
    "benchmarks/clips", "benchmarks/metrics", "benchmarks/networks", "benchmarks/scoring",
    "pipeline/dataset", "pipeline/faces", "pipeline/media", "pipeline/runtimes", "pipeline/speech",
)  # fmt: skip


@cache
def code_digest() -> str:
    """SHA-256 of the sources that measurements depend on."""
    files = [sorted((ROOT / room).rglob("*.py")) for room in ROOMS]
    assert all(files), "a room of ROOMS has moved: its code would not count"
    return hashlib.sha256(
        b"".join(path.read_bytes() for room in files for path in room)
    ).hexdigest()


def key_of(*parts: Any) -> str:
    """A name for what is made of `parts`, which JSON can hold, by the code as it is."""
    text = json.dumps([code_digest(), *parts], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


class NotCachedError(Exception):
    """A measurement that is not in the cache was asked of one that is only read."""


class MeasurementCache:
    """Arrays and JSON in a folder, by key.

    With `only_read` nothing is computed; what is not there raises a `NotCachedError`.
    """

    def __init__(self, folder: Path, *, only_read: bool = False) -> None:
        self.folder = folder
        self._only_read = only_read

    def array(self, key: str, compute: Callable[[], NDArray[np.float32]]) -> NDArray[np.float32]:
        """The array of that key, computed if it is not there."""
        path = self._path(key, ".npy")
        if path.exists():
            return np.asarray(np.load(path))
        value = self._computed(compute)
        with atomic_path(path) as temporary:
            np.save(temporary, value)
        return value

    def record(self, key: str, compute: Callable[[], Any]) -> Any:
        """The JSON value of that key, computed if it is not there."""
        path = self._path(key, ".json")
        if path.exists():
            return read_json(path)
        value = self._computed(compute)
        write_bytes(path, json_bytes(value))
        return value

    def load(self, key: str) -> NDArray[np.float32]:
        """An array that is known to be there."""
        return np.asarray(np.load(self._path(key, ".npy")))

    def _computed(self, compute: Callable[[], Any]) -> Any:
        if self._only_read:
            raise NotCachedError
        return compute()

    def _path(self, key: str, suffix: str) -> Path:
        return self.folder / key[:2] / f"{key}{suffix}"
