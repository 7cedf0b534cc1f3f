"""WER and CER: how many words and characters a lip reader gets wrong, whichever you have.

The paper's is private. Any can be plugged in: a command that takes the path of a video as its last
argument and prints what it read, or a Python function from path to text. What is said in a clip
comes from the text file beside it (the words; LRW's, LRS2's and LRS3's own files; GRID's `.align`),
or from the name of LRW's clips.
"""

import re
import shlex
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from benchmarks.commands import run_group
from benchmarks.metrics.metric import Metric
from pipeline.errors import UserError

_RULE = (
    "substituted, deleted or inserted by the lip reader given, which sees whole fakes, over those "
    "said, summed over clips; case and punctuation do not count, numbers count as they are written"
)
_NEEDS = "a lip reader and the words of the clip"
WER = Metric("wer", "WER", "lower", f"words {_RULE}", needs=_NEEDS)
CER = Metric("cer", "CER", "lower", f"characters, one space between words, {_RULE}", needs=_NEEDS)
_SILENCE = frozenset({"sil", "sp"})
_LRW_CLIP = re.compile(r"([A-Z]+)_\d{5}")
# Text files that data sets come with. LRW: five fields of metadata, no words.
_LRW_FIELD = re.compile(r"(Disk reference|Channel|Program start|Clip start|Duration): .*")
# LRS2 and LRS3: `Text:  IT'S ABOUT`, `Conf:  4`, then a table of a line a word.
_LRS_TEXT = re.compile(r"^Text:[ \t]*(.*)$", re.MULTILINE)
_LRS_TABLE = re.compile(r"^WORD START END.*\n", re.MULTILINE)
_ALIGN_LINE = re.compile(r"\d+\s+\d+\s+\S+")  # GRID: start, end, word


def words(text: str) -> list[str]:
    """The words of a text in lower case, without punctuation."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*", text.casefold())


def errors(spoken: Sequence[str], read: Sequence[str]) -> int:
    """The least number of substitutions, deletions and insertions, of words or characters."""
    row = np.arange(len(read) + 1)
    for index, word in enumerate(spoken, start=1):
        other = np.array([word != each for each in read], np.int64)
        best = np.append(index, np.minimum(row[:-1] + other, row[1:] + 1))
        # An insertion costs one more than what lies to the left: a running minimum.
        steps = np.arange(len(best))
        row = np.minimum.accumulate(best - steps) + steps
    return int(row[-1])


def error_rate(wrong: Sequence[int], lengths: Sequence[int]) -> float:
    """Errors of all clips over the words, or characters, said in them; NaN without one."""
    return sum(wrong) / sum(lengths) if sum(lengths) else float("nan")


def transcript(path: Path) -> list[str] | None:
    """The words said in a clip: of the file beside it, `NAME.txt` or `NAME.align`, or of its name.

    The name counts where no file holds words: LRW's clips begin with theirs (ABOUT_00001), and LRW
    puts a file of metadata beside them. None where the words are not known.

    Raises:
        UserError: the file is not UTF-8, or not words.
    """
    for file in (path.with_suffix(".txt"), path.with_suffix(".align")):
        if file.exists():
            spoken = _read_words(file)
            if spoken is not None:
                return spoken
    named = _LRW_CLIP.fullmatch(path.stem)
    return words(named[1]) if named else None


def _read_words(file: Path) -> list[str] | None:
    """The words in a text file, whose form says whose it is; None of LRW's metadata."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not UTF-8 text: save it as UTF-8") from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and all(map(_LRW_FIELD.fullmatch, lines)):
        return None
    if sentence := _LRS_TEXT.search(text):
        return words(sentence[1])
    if header := _LRS_TABLE.search(text):
        rows = text[header.end() :].splitlines()
        return words(" ".join(row.split()[0] for row in rows if row.strip()))
    if lines and all(map(_ALIGN_LINE.fullmatch, lines)):
        spoken = [line.split()[2] for line in lines]
        return words(" ".join(word for word in spoken if word not in _SILENCE))
    letters = sum(map(str.isalpha, "".join(words(text))))
    if letters < 0.5 * len("".join(text.split())):  # few digits and signs are between words
        raise UserError(f"{file} does not read like the words of a clip; put them there as text")
    return words(text)


def command_reader(command: str, timeout: float) -> Callable[[Path], str]:
    """A lip reader that is a command: called with a video's path, its output is what it read.

    `timeout`: seconds for a video, after which it and whatever it started is ended.
    """
    parts = shlex.split(command)

    def read(video: Path) -> str:
        with tempfile.TemporaryFile() as printed, tempfile.TemporaryFile() as errors:
            try:
                code = run_group([*parts, str(video)], timeout, printed, errors)
                reason = _text(errors).strip() or f"it ended with code {code}"
            except subprocess.TimeoutExpired:
                code = 1
                reason = f"it took longer than {timeout:g} s; --lip-reader-timeout gives it more"
            except OSError as error:
                code, reason = 1, str(error)
            if code:
                last = reason.splitlines()[-1]
                raise UserError(f"the lip reader {command!r} fails on {video}: {last}")
            return _text(printed)

    return read


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")
