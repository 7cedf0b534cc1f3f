"""A method's commands, run without a shell, with one limit of time for all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_GRACE = 5.0  # seconds between asking a process to end and ending it
# Ours would shadow packages of the same name in the other system.
_NOT_HANDED_ON = ("PYTHONPATH", "PYTHONHOME")


class CommandError(Exception):
    """A command failed or took too long; the message says how."""


def run_commands(commands: Sequence[tuple[Sequence[str], Path]], log: Path, timeout: float) -> None:
    """Runs commands one after another; what they print goes into a log.

    Args:
        commands: arguments, and the folder in which they are run.
        log: is written anew.
        timeout: seconds for all of them together.

    Raises:
        CommandError: one is not to be started, ends with another code than 0, or takes too long.
            It and whatever it started is ended.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if k not in _NOT_HANDED_ON}
    stop = time.monotonic() + timeout
    with log.open("wb") as told:
        for arguments, cwd in commands:
            told.write(f"$ {' '.join(arguments)}\n".encode())
            told.flush()
            try:
                process = subprocess.Popen(
                    arguments,
                    cwd=cwd,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=told,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            except OSError as error:
                raise CommandError(f"{arguments[0]} does not start: {error.strerror}") from error
            try:
                code = process.wait(max(0.0, stop - time.monotonic()))
            except subprocess.TimeoutExpired:
                raise CommandError(f"took longer than {timeout:g} s") from None
            finally:
                end_group(process)
            if code:
                raise CommandError(f"ended with code {code}: {last_line(log)}")


def end_group(process: subprocess.Popen[Any]) -> None:
    """Ends a process and all that it started: they are a group of their own."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):  # what macOS says of zombies
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
            if not _group_lives(process.pid):
                return


def _group_lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def last_line(log: Path) -> str:
    """The last line of a log that says something; most often the error's own sentence."""
    lines = log.read_text("utf-8", "replace").replace("\r", "\n").splitlines()
    said = [line.strip() for line in lines if line.strip() and not line.startswith("$ ")]
    return said[-1][:300] if said else "it printed nothing"
