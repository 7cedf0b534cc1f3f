"""One command at a time in a folder that it writes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import UserError


@contextmanager
def exclusive(folder: Path | None, command: str) -> Iterator[None]:
    """Keeps a second command out of a folder, where it would undo what this one writes.

    The system takes the lock back when the process ends, however it ends. The folder is made if
    need be, and removed again if nothing was written into it; None, of an object store, is not
    locked.
    """
    if folder is None:
        yield
        return
    if folder.is_file():
        raise UserError(f"{folder} is a file; name a folder with --out")
    made = not folder.exists()
    folder.mkdir(parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network disks lock no folders
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(
                    f"another {command} is at work in {folder}; wait for it, or use another --out"
                ) from error
        yield
    finally:
        os.close(lock)
        if made:
            with suppress(OSError):  # something was written into it
                folder.rmdir()
