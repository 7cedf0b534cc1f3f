"""The fault corpus: every bad or odd input that we know of, made anew, the same every time."""

import hashlib
import os
import stat
from pathlib import Path

from tests.faults.inputs.cases_of_files import FILES
from tests.faults.inputs.cases_of_films import FILMS

CASES = [*FILMS, *FILES]


def make_corpus(folder: Path) -> None:
    """Makes every case in a new folder."""
    folder.mkdir()
    for case in CASES:
        path = folder / case.name
        path.parent.mkdir(parents=True, exist_ok=True)
        case.make(path)


def state(folder: Path) -> dict[str, tuple[object, ...]]:
    """All there is to know of every name in a folder: kind, rights, time of change, content."""
    found = {}
    for here, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(here, name)
            status = path.lstat()
            content = ""
            if stat.S_ISLNK(status.st_mode):
                content = str(path.readlink())
            elif stat.S_ISREG(status.st_mode) and os.access(path, os.R_OK):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            key = str(path.relative_to(folder))
            found[key] = (
                status.st_mode,
                status.st_mtime_ns,
                status.st_size,
                status.st_nlink,
                content,
            )
    return found
