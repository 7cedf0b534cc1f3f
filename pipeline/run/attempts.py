"""Clips that end or hang their worker are given up (poison clips): a journal and a watchdog.

The journal says what the worker of a shard has open, in a file that outlives it; the watchdog is a
thread that ends its own process.

A decoder can end its process or hang for ever. Ray then runs the shard's task again in another
process, which reads here what the last one was at: a clip on which workers die three times is
given up, one that takes too long at once. Workers that die or hang where no clip is open cost no
clip: after four of them the run ends with a sentence.
"""

import json
import os
import signal
import threading
import time
from typing import Any, Self

from pipeline.errors import UserError
from pipeline.storage import Folder

_DEATHS = 3  # of workers at a clip, or at none, until it is given up
_LOOK_EVERY = 1.0  # seconds between two looks of the watchdog
_LAST_WORDS = 10.0  # seconds for noting why a process is ended
_GIVEN_UP = (
    "the worker process died on it {deaths} times: out of memory, or a fault in a decoder; "
    "see if the video plays, or convert it"
)
_TOO_LONG = (
    "it took more than {minutes:g} minutes and was stopped; see if the video plays, or give "
    "--clip-minutes more"
)
_STUCK = (
    "workers that load the models or write {shard} took more than {minutes:g} minutes, {times} "
    "times; see if the disks answer that hold the pretrained files and the data set, or give "
    "--clip-minutes more"
)
_DYING = (
    "workers die at {shard} where no clip is open, {times} times; is there memory left, and can "
    "they read the pretrained files?"
)


class Journal:
    """The journal of one shard; as a context, it watches over the process that writes the shard.

    The process is ended when a clip, loading or writing takes more than `minutes`; `deadline` is
    that second of the monotonic clock.
    """

    @staticmethod
    def retries(clips: int) -> int:
        """How often at most a task ends its process until all its clips are given up."""
        return _DEATHS * (clips + 1) + 1

    def __init__(self, out: Folder, shard: str, minutes: float) -> None:
        self._out, self._shard, self._minutes = out, shard, minutes
        self._name = f".{shard}.journal.tmp.json"
        self._record: dict[str, Any] = {"deaths": {}, "given_up": {}}
        self._done = threading.Event()
        self._writing = threading.Lock()
        self.deadline = float("inf")

    @property
    def given_up(self) -> dict[str, str]:
        """Reasons by clip_id of the clips that must not be opened again."""
        return self._record["given_up"]

    def __enter__(self) -> Self:
        """Reads what the last worker was at when it ended, and starts the watchdog."""
        self.deadline = time.monotonic() + 60 * self._minutes
        threading.Thread(target=self._watch, daemon=True).start()
        if self._out.exists(self._name):
            self._record = json.loads(self._out.read_bytes(self._name))
            self._judge(self._record.pop("open", ""), late=self._record.pop("late", False))
        self.enter("")
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        with self._writing:
            self._out.remove(self._name)

    def enter(self, clip_id: str) -> None:
        """Notes which clip is opened next; empty: none, models are loaded or files written."""
        self.deadline = time.monotonic() + 60 * self._minutes
        self._write(open=clip_id)

    def _judge(self, clip_id: str, *, late: bool) -> None:
        """Counts the end of the last worker, at a clip or (empty) at none."""
        deaths = self._record["deaths"]
        deaths[clip_id] = deaths.get(clip_id, 0) + 1
        if not clip_id and deaths[clip_id] > _DEATHS:
            text = _STUCK if late else _DYING
            times = deaths[clip_id]
            raise UserError(text.format(shard=self._shard, minutes=self._minutes, times=times))
        if clip_id and late:
            self.given_up[clip_id] = _TOO_LONG.format(minutes=self._minutes)
        elif clip_id and deaths[clip_id] >= _DEATHS:
            self.given_up[clip_id] = _GIVEN_UP.format(deaths=deaths[clip_id])

    def _watch(self) -> None:
        """Ends the process when the deadline passes; decoders and disks can hang."""
        while not self._done.wait(_LOOK_EVERY):
            if time.monotonic() >= self.deadline:
                # The disk of the journal may be what hangs.
                note = threading.Thread(target=self._write, kwargs={"late": True}, daemon=True)
                note.start()
                note.join(_LAST_WORDS)
                os.kill(os.getpid(), signal.SIGKILL)

    def _write(self, **change: Any) -> None:
        with self._writing:
            self._record |= change
            self._out.overwrite(self._name, json.dumps(self._record).encode())
