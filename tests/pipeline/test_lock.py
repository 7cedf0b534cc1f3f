"""One command at a time in a folder."""

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.lock import exclusive

_HOLD = "import sys; from pathlib import Path; from pipeline.lock import exclusive\n"
_HOLD += "with exclusive(Path(sys.argv[1]), 'dh-prep'): print('held', flush=True); sys.stdin.read()"


def test_a_second_process_is_refused_until_the_first_has_ended(tmp_path: Path):
    folder = tmp_path / "new" / "data"
    command = [sys.executable, "-c", _HOLD, str(folder)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout.readline() == b"held\n"
        with (
            pytest.raises(UserError, match=r"another dh-prep is at work in .*/new/data; wait"),
            exclusive(folder, "dh-prep"),
        ):
            pass
        first.kill()  # without a chance to give the lock back
        first.wait()
    with exclusive(folder, "dh-prep"):
        assert not list(folder.iterdir())  # the lock is no file
    assert folder.exists()  # it was there before
    with exclusive(tmp_path / "empty", "dh-prep"):
        pass
    assert not (tmp_path / "empty").exists()


def test_no_folder_is_locked_where_there_is_none_and_a_file_is_told(tmp_path: Path):
    with exclusive(None, "dh-prep"), exclusive(None, "dh-prep"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is a file"), exclusive(tmp_path / "file", "dh-train"):
        pass
