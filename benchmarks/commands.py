"""Other people's commands, run without a shell, with a limit of time and nothing left running."""

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

# Ours would shadow packages of the same name in the other system.
_OUR_PYTHON = ("PYTHONPATH", "PYTHONHOME")


class CommandError(Exception):
    """A command failed or took too long; the message gives the reason."""


def run_commands(commands: Sequence[tuple[Sequence[str], Path]], log: Path, timeout: float) -> None:
    """Runs commands one after another within `timeout` seconds; what they print goes into a log."""
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
    arguments: Sequence[str], timeout: float, stdout: IO[bytes], stderr: IO[bytes], **options: Any
) -> int:
    """The exit code of a command in a process group of its own, which is ended whatever happens."""
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
        with suppress(ProcessLookupError, PermissionError):  # macOS raises the latter of zombies
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def last_line(log: Path) -> str:
    """The last line that a command printed into a log; most often the error's own sentence."""
    lines = log.read_text("utf-8", "replace").replace("\r", "\n").splitlines()
    printed = [line.strip() for line in lines if line.strip() and not line.startswith("$ ")]
    return printed[-1][:300] if printed else "it printed nothing"
