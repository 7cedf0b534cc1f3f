"""Damaged media end as samples, reasons or refusals: no traceback, crash, hang or growth."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.inputs.valid_files import write_valid_files

_FILES = os.environ.get("DH_FUZZ_FILES", "200")  # ten thousand are for nights
_SEED = os.environ.get("DH_FUZZ_SEED", "0")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measures memory by Linux")
def test_damaged_files_are_read_or_refused(tmp_path: Path):
    for folder in ("valid", "work"):
        (tmp_path / folder).mkdir()
    write_valid_files(tmp_path / "valid")
    command = [sys.executable, "-m", "tests.faults.fuzz", tmp_path / "valid", tmp_path / "work"]
    # In a process of its own: a decoder that crashes takes its process with it.
    done = subprocess.run(
        [*map(str, command), "--seed", _SEED, "--files", _FILES],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=300 + int(_FILES),
    )
    left = [path.name for path in (tmp_path / "work").iterdir()]
    assert (done.returncode, left) == (0, []), done.stderr[-6000:]
    files, _, readings, *_ = done.stdout.replace(",", "").split()
    assert files == _FILES
    assert int(readings) > int(files)  # much of the damage leaves something to read
