"""Addresses of files; what an object store does with them is in tests/faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.store import local_copy

if TYPE_CHECKING:
    from pathlib import Path


def test_a_file_of_this_machine_is_used_where_it_lies(tmp_path: Path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"film")
    for where in (str(path), f"file://{path}"):
        with local_copy(where) as here:
            assert here == str(path)
    assert path.exists()
