"""dh-prep whose workers die, hang or wait at a place, so that no test has to catch them there.

    python faulty_workers.py HOW PLACE TIMES FOLDER run INPUT --out DIR …

HOW is die, hang or wait (till FOLDER holds a file `go`); PLACE is start (of a worker), load (of
the models), a clip_id (about to be opened) or writing (the shard's tar is written, its mark is
not). The first TIMES workers that come there are hit; each leaves its number in FOLDER.

Where a worker hangs, its deadline passes at once, and no other's: what else a test's machine has to
do makes nobody late.
"""

import os
import signal
import sys
import time
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from pipeline.cli import main as cli
from pipeline.dataset import finalize
from pipeline.run import prepare
from pipeline.run import shard_writer as writer
from pipeline.run.attempts import Journal


def _triggers(times: int, folder: Path) -> bool:
    """Whether this process is among the first so many; it leaves its number in the folder."""
    mine = folder / f".{os.getpid()}"
    mine.write_text(str(os.getpid()))
    for turn in range(times):
        with suppress(FileExistsError):
            (folder / str(turn)).hardlink_to(mine)  # which shows it whole
            return True
    return False


def _hit(how: str, times: int, folder: Path, journal: Journal | None = None) -> None:
    """What happens to a process at the place."""
    if not _triggers(times, folder):
        return
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "hang":
        journal.deadline = 0
    while how == "hang" or not (folder / "go").exists():
        time.sleep(0.02)


def faulty(how: str, place: str, times: int, folder: Path) -> type[writer.ShardWriter]:
    """A class of workers of which the first so many die, hang or wait at a place.

    It is made here, in a function, so that Ray sends it to the workers as a whole.
    """
    hit = partial(_hit, how, times, folder)

    class ShardWriter(writer.ShardWriter):
        def __init__(self, *arguments: Any) -> None:
            if place == "start":
                hit()
            super().__init__(*arguments)

        def _write(self, task: writer.ShardTask, journal: Journal | None) -> Any:
            if place == "load":
                hit(journal)
            rows_bytes = finalize.rows_bytes
            if place == "writing":
                finalize.rows_bytes = lambda rows: hit(journal) or rows_bytes(rows)
            yield from super()._write(task, journal)
            finalize.rows_bytes = rows_bytes

        def _prepare(self, row: Any, journal: Journal | None) -> Any:
            if row.clip_id == place and place not in journal.given_up:
                journal.enter(place)
                hit(journal)
            return super()._prepare(row, journal)

    return ShardWriter


if __name__ == "__main__":
    how, place, times, folder = sys.argv[1:5]
    del sys.argv[1:5]
    prepare.ShardWriter = faulty(how, place, int(times), Path(folder))
    cli.main()
