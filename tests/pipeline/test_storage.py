"""Addresses of files; what an object store does with them is in tests/faults."""

from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem

from pipeline.errors import UserError
from pipeline.storage import Folder, local_copy


def test_a_file_of_this_machine_is_used_where_it_lies(tmp_path: Path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"film")
    for where in (str(path), f"file://{path}"):
        with local_copy(where) as here:
            assert here == str(path)
    assert path.exists()


def test_a_store_that_refuses_to_be_read_is_named(monkeypatch: pytest.MonkeyPatch):
    folder = Folder.at("memory://talkers/set")
    folder.write_json("a.json", 1)
    assert folder.read_json("a.json") == 1
    with pytest.raises(FileNotFoundError):
        folder.read_json("b.json")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError("Access Denied")

    monkeypatch.setattr(MemoryFileSystem, "cat", refuse)
    with pytest.raises(UserError, match=r"memory://talkers/set: Access Denied; are address, acc"):
        folder.read_json("a.json")
