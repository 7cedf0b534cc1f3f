"""WER: how many words a lip reader gets wrong, whichever lip reader you have.

The paper's is private. Any can be plugged in: a command that takes the path of a video as its last
argument and prints what it read, or a Python function from path to text. What was said comes from a
file beside the real clip (`NAME.txt`, or GRID's `NAME.align`), or from the name of LRW's clips.
"""

from __future__ import annotations

import re
import shlex
import subprocess
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.commands import end_group
from benchmarks.metrics.metric import Metric
from pipeline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

WER = Metric(
    "wer",
    "WER",
    "lower",
    "",
    "words substituted, deleted or inserted by the lip reader given, over the words said, summed "
    "over clips; case and punctuation do not count",
)
_SILENCE = frozenset({"sil", "sp"})
_LRW = re.compile(r"([A-Z]+)_\d{5}")


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.casefold())


def word_errors(said: Sequence[str], read: Sequence[str]) -> int:
    """The least number of substitutions, deletions and insertions from one to the other."""
    row = np.arange(len(read) + 1)
    for index, word in enumerate(said, start=1):
        other = np.array([word != each for each in read], np.int64)
        best = np.append(index, np.minimum(row[:-1] + other, row[1:] + 1))
        # An insertion costs one more than what lies to the left: a running minimum.
        steps = np.arange(len(best))
        row = np.minimum.accumulate(best - steps) + steps
    return int(row[-1])


def word_error_rate(errors: Sequence[int], lengths: Sequence[int]) -> float:
    """Errors of all clips over the words said in them; NaN without a word."""
    return sum(errors) / sum(lengths) if sum(lengths) else float("nan")


def transcript(path: Path) -> list[str] | None:
    """What is said in a clip: the words of the file beside it, `NAME.txt` or `NAME.align`.

    LRW's clips have none of these: their names begin with their word (ABOUT_00001). None where
    nothing tells.
    """
    text, alignment = path.with_suffix(".txt"), path.with_suffix(".align")
    if text.exists():
        return words(text.read_text(encoding="utf-8"))
    if alignment.exists():
        lines = alignment.read_text(encoding="utf-8").splitlines()
        spoken = [line.split()[-1] for line in lines if line.strip()]
        return words(" ".join(word for word in spoken if word not in _SILENCE))
    named = _LRW.fullmatch(path.stem)
    return words(named[1]) if named else None


def command_reader(command: str, timeout: float) -> Callable[[Path], str]:
    """A lip reader that is a command: called with a video's path, its output is what it read.

    Args:
        command: as for a shell, without the path.
        timeout: seconds for a video, after which it and whatever it started is ended.

    Raises:
        UserError: when it is called, and the command is absent, fails or takes too long.
    """
    parts = shlex.split(command)

    def read(video: Path) -> str:
        try:
            return _output([*parts, str(video)], timeout)
        except subprocess.TimeoutExpired:
            told = f"it took longer than {timeout:g} s; --lip-reader-timeout gives it more"
        except (OSError, subprocess.CalledProcessError) as error:
            said = (getattr(error, "stderr", "") or "").strip()
            told = (said or str(error)).splitlines()[-1]
        raise UserError(f"the lip reader {command!r} fails on {video}: {told}")

    return read


def _output(arguments: Sequence[str], timeout: float) -> str:
    """What a command prints; raises `subprocess`' errors."""
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        start_new_session=True,  # a group of its own, which can be ended as a whole
    )
    with process:
        try:
            printed, said = process.communicate(timeout=timeout)
        except BaseException:  # Ctrl-C too, which does not reach another session
            end_group(process)
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, arguments, printed, said)
    return printed
