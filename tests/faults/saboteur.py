"""dh-prep whose workers die, freeze or wait at a place, so that no test has to catch them there.

    python saboteur.py HOW PLACE TIMES FOLDER run INPUT --out DIR …

HOW is die, freeze or wait (till FOLDER holds a file `go`); PLACE is start (of a worker), load (of
the models), a clip_id (about to be opened) or writing (the shard's tar is written, its mark is
not). It befalls the first TIMES workers that come there; each leaves its number in FOLDER.

Where a worker is frozen, hours pass at once, and at no other time: what else a test's machine has
to do makes nobody late. That takes --workers 1.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli import main as cli
from pipeline.run import shard_writer as writer
from pipeline.run import workers

if TYPE_CHECKING:
    from collections.abc import Callable


def befall(how: str, times: int, folder: Path) -> None:
    """What befalls a worker, if it is among the first so many."""
    mine = folder / f".{os.getpid()}"
    mine.write_text(str(os.getpid()))
    for turn in range(times):
        with suppress(FileExistsError):
            (folder / str(turn)).hardlink_to(mine)  # which shows it whole
            break
    else:
        return
    if how != "wait":
        os.kill(os.getpid(), signal.SIGKILL if how == "die" else signal.SIGSTOP)
    while how == "wait" and not (folder / "go").exists():
        time.sleep(0.02)


def saboteur(at: Callable[[str], None]) -> type[writer.ShardWriter]:
    """A class of workers that say where they are.

    It is made here, in a function, so that Ray sends it to the workers as a whole.
    """

    class ShardWriter(writer.ShardWriter):
        def __init__(self, *arguments: Any) -> None:
            at("start")
            super().__init__(*arguments)
            rows_bytes = writer.rows_bytes
            writer.rows_bytes = lambda rows: at("writing") or rows_bytes(rows)

        def _load(self) -> None:
            at("load")
            super()._load()

        def _prepare(self, row: Any, task: writer.Task) -> Any:
            if row.clip_id not in task.given_up:
                at(row.clip_id)
            return super()._prepare(row, task)

    return ShardWriter


class HoursGoBy:
    """The clock of the run, in place of its `time`, and its look at the workers that are late."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: set[Path] = set()
        self._ahead = 0.0
        self._stop_late = workers._Pool.stop_late

    def monotonic(self) -> float:
        return time.monotonic() + self._ahead

    def stop_late(self, pool: workers._Pool) -> list[Any]:
        frozen = set(self._folder.glob("[0-9]*"))
        if frozen - self._known:
            self._ahead += 10 * 3600
        stopped = self._stop_late(pool)
        if stopped:
            self._known |= frozen
        return stopped


if __name__ == "__main__":
    how, place, times, folder = sys.argv[1:5]
    del sys.argv[1:5]
    workers.ShardWriter = saboteur(
        lambda here: befall(how, int(times), Path(folder)) if here == place else None
    )
    if how == "freeze":
        clock = workers.time = HoursGoBy(Path(folder))
        workers._Pool.stop_late = lambda pool: clock.stop_late(pool)  # noqa: PLW0108 - it takes the pool
        workers._LOOK_EVERY = 0.2
    cli.main()
