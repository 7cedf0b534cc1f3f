"""Progress on a terminal, in a log and in a notebook."""

import os
import pty
import subprocess
import sys

import pytest

from pipeline import progress as progress_module

_CODE = """
import time
from pipeline import progress
progress.LOG_SECONDS = 0.01
with progress.progress("clips", 3) as step:
    for note in ("", "1 failed", "2 failed"):
        time.sleep(0.05)
        step(note)
"""


def _on_a_terminal(**environment: str) -> str:
    """What the code writes to standard error when that is a terminal."""
    master, slave = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-c", _CODE],
        stderr=slave,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", **environment},
    )
    os.close(slave)
    said = b""
    while True:
        try:
            part = os.read(master, 4096)
        except OSError:  # its end, as Linux tells it
            break
        if not part:
            break
        said += part
    assert run.wait() == 0
    os.close(master)
    return said.decode()


def test_a_terminal_gets_a_bar():
    said = _on_a_terminal()
    assert "\x1b[" in said
    assert "3/3" in said
    assert "2 failed" in said


def test_a_notebook_gets_lines_although_it_gives_commands_a_terminal():
    said = _on_a_terminal(JPY_PARENT_PID="1", FORCE_COLOR="1")
    assert "\x1b" not in said
    lines = said.split()
    assert "3/3" in lines
    assert said.count("clips") == 3


def test_a_log_gets_lines_even_where_colours_are_forced():
    done = subprocess.run(
        [sys.executable, "-c", _CODE],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "FORCE_COLOR": "1"},
    )
    assert "\x1b" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("3/3 clips, ")
    assert "2 failed" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("widgets", [None, "found"])
def test_a_notebook_draws_a_bar_if_it_has_widgets(monkeypatch, widgets: str | None) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    monkeypatch.setattr(progress_module, "find_spec", lambda _: widgets)
    assert progress_module._draws() == bool(widgets)
