"""What goes wrong by the user's hand, and how a command says so."""

from __future__ import annotations

import errno
import io
import os
import re
import signal
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from pipeline.files import visible

if TYPE_CHECKING:
    import typer


# What the file system refuses, wherever in a command it is met: not a fault of ours. The first ones
# in reading as well as in writing.
_CLOSED = (errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR)
_REFUSED = (*_CLOSED, errno.EROFS, errno.ENOSPC, errno.EDQUOT)
_TERMINATED = 128 + signal.SIGTERM  # what a shell says of it


class UserError(Exception):
    """Bad input: one sentence with the file and the remedy; the command exits with 2.

    Anything that is our own fault stays an ordinary exception and keeps its traceback.
    """


def expand_home(word: str) -> str:
    """A word of a command line, its `~/` the user's home as in `--out ~/data`.

    Shells leave it in `--out=~/data` and in quotes; taken as it stands it makes a folder called ~.
    """
    return re.sub(r"^(--[\w-]+=)?~(?=/|$)", lambda found: (found[1] or "") + str(Path.home()), word)


def run_command(app: typer.Typer) -> None:
    """Runs a typer application: a `UserError` becomes one sentence and exit code 2.

    SIGTERM (a container that is stopped, `timeout`) ends it as Ctrl-C does: temporary folders and
    half-written files go. Commands that handle it themselves are not disturbed. `--version` alone
    is answered here, for all commands alike.
    """
    if sys.argv[1:] == ["--version"]:
        print(f"diffused-heads {version('diffused-heads')}")
        return
    sys.stdout, sys.stderr = _harmless(sys.stdout), _harmless(sys.stderr)
    sys.argv[1:] = [expand_home(word) for word in sys.argv[1:]]
    terminated = False

    def terminate(*_: Any) -> None:
        nonlocal terminated
        terminated = True
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # another would disturb the tidying up
        sys.exit(_TERMINATED)

    before = signal.signal(signal.SIGTERM, terminate)
    try:
        app()
    except UserError as error:
        # Plain text: a file name may hold what rich would read as markup.
        message = visible(f"error: {error}")
        Console(stderr=True, highlight=False).print(message, markup=False, soft_wrap=True)
        sys.exit(2)
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        # Not the temporary name of pipeline.files.atomic_path, which says nothing to anyone.
        where = re.sub(r"\.([^/]+)\.[0-9a-f]{8}\.tmp(\.\w+)?$", r"\1\2", str(error.filename or ""))
        where = visible(where) or "the output"
        verb = "open" if error.errno in _CLOSED else "write"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "make room and give the same command again" if full else "choose another place"
        print(f"error: cannot {verb} {where}: {error.strerror}; {remedy}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as stop:
        # typer turns Ctrl-C into exit code 130 without a word. Where SIGTERM finds Ray waiting, Ray
        # raises an exit of its own, with a text for a code.
        code = 130 if isinstance(stop, KeyboardInterrupt) else stop.code
        code = _TERMINATED if terminated else code
        if code not in (130, _TERMINATED):
            raise
        print("interrupted; the same command carries on where it stopped", file=sys.stderr)
        sys.exit(code)
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)


class _HarmlessOutput(io.FileIO):
    """Standard output or error whose reader may go and whose disk may be full: the work goes on."""

    _failed = False

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError as error:
            if not self._failed and error.errno != errno.EPIPE and self.fileno() != 2:
                print(f"note: what is printed here gets lost: {error.strerror}", file=sys.stderr)
            self._failed = True
            return len(data)


def _harmless(stream: Any) -> Any:
    """A standard stream that no text and no fault of its target can break; others as they are."""
    if stream is None:  # closed by the caller
        return Path(os.devnull).open("w", encoding="utf-8")
    buffer = getattr(stream, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # without a buffer where PYTHONUNBUFFERED is set
    if not isinstance(raw, io.FileIO):
        return stream
    output = _HarmlessOutput(raw.fileno(), "wb", closefd=False)
    return io.TextIOWrapper(
        output if raw is buffer else io.BufferedWriter(output),
        encoding=stream.encoding,
        errors="replace",  # what the encoding of a terminal or log lacks becomes "?"
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
