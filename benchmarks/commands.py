"""Other people's commands, run without a shell, with a limit of time and nothing left running."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

_GRACE = 5.0  # seconds between asking a process to end and ending it
# Ours would shadow packages of the same name in the other system.
_OUR_PYTHON = ("PYTHONPATH", "PYTHONHOME")


class CommandError(Exception):
    """A command failed or took too long; the message gives the reason."""


def run_commands(commands: Sequence[tuple[Sequence[str], Path]], log: Path, timeout: float) -> None:
    """Runs commands one after another; what they print goes into a log.

    `timeout`: seconds for all of them together.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if k not in _OUR_PYTHON}
    stop = time.monotonic() + timeout
    with log.open("wb") as output:
        for arguments, cwd in commands:
            output.write(f"$ {' '.join(arguments)}\n".encode())
            output.flush()
            try:
                left = max(0.0, stop - time.monotonic())
                code = run_group(arguments, left, output, output, cwd=cwd, env=environment)
            except OSError as error:
                raise CommandError(f"{arguments[0]} does not start: {error.strerror}") from error
            except subprocess.TimeoutExpired:
                raise CommandError(f"took longer than {timeout:g} s") from None
            if code:
                raise CommandError(f"ended with code {code}: {last_line(log)}")


def run_group(
    arguments: Sequence[str],
    timeout: float,
    stdout: IO[bytes],
    stderr: IO[bytes],
    **options: Any,
) -> int:
    """Runs a command in a process group of its own and ends the group, whatever happens.

    `timeout`: seconds. Returns its exit code.
    """
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        **options,
    )
    try:
        return process.wait(timeout)
    finally:
        _end_group(process)


def _end_group(process: subprocess.Popen[Any]) -> None:
    """Ends a process and all that it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, PermissionError):  # macOS raises the latter of zombies
            os.killpg(process.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE)
            if not _group_exists(process.pid):
                return


def _group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def last_line(log: Path) -> str:
    """The last line that a command printed into a log; most often the error's own sentence."""
    lines = log.read_text("utf-8", "replace").replace("\r", "\n").splitlines()
    printed = [line.strip() for line in lines if line.strip() and not line.startswith("$ ")]
    return printed[-1][:300] if printed else "it printed nothing"
