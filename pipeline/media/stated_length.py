"""What a file says of itself: a still picture, or so many seconds, of which it may hold fewer.

The index of an MP4 or the header of a Matroska file tells how long the whole was, also when only
its first part arrived.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

# Seconds: rounding, and a last frame or a block of sound that does not come. In 105 real files of
# MP4, WebM and Matroska nothing is missing; of words of 0.4 s that were cut off, much more.
_SLACK = 0.2
# Their length is what FFmpeg finds between first and last time stamp: it promises nothing.
_WITHOUT_LENGTH = frozenset({"mpeg", "mpegts", "mpegvideo"})


@dataclass(frozen=True)
class Stated:
    """What a file says of itself.

    Attributes:
        still: whether it is a still picture.
        seconds: from the first frame to the end; 0 where it does not say.
        of_picture: whether that is of its picture; else it is of the longest of its streams.
    """

    still: bool = False
    seconds: float = 0.0
    of_picture: bool = True

    def missing(self, shown: float, heard: float, *, start: float, end: float | None) -> float:
        """Seconds of what was wanted that the file says it has and that did not decode.

        Args:
            shown: seconds of picture from `start` on.
            heard: seconds of sound from `start` on.
            start: seconds after the first frame at which what was wanted begins.
            end: seconds after the first frame at which it ends; None: with the file.

        Returns:
            0 for what is too little to tell.
        """
        stop = self.seconds if end is None else min(self.seconds, end)
        found = shown if self.of_picture else max(shown, heard)
        missing = stop - start - found
        return missing if missing > _SLACK else 0.0


def stated(container: Any, stream: Any, start: float) -> Stated:
    """What an open file says of itself.

    Args:
        container: of PyAV.
        stream: of its video.
        start: time stamp of the first frame in seconds.
    """
    name = container.format.name
    if name == "image2" or name.endswith("_pipe"):
        return Stated(still=True)
    if name in _WITHOUT_LENGTH:
        return Stated()
    length = _own_length(stream)
    if length is not None:
        return Stated(seconds=length)
    # From here on what is told is an end, which counts from zero as the time stamps do.
    end = _seconds(stream.metadata.get("DURATION", ""))
    if end is not None:
        return Stated(seconds=max(end - start, 0.0))
    whole = (container.duration or 0) / 1e6
    return Stated(seconds=max(whole - start, 0.0), of_picture=False)


def _own_length(stream: Any) -> float | None:
    """Seconds of a video stream by its header; None where it has none."""
    if not stream.duration:
        return None
    seconds = float(stream.duration * stream.time_base)
    # FFmpeg shortens an AVI whose end is missing, but not the number of its frames.
    if stream.container.format.name == "avi" and stream.average_rate:
        return max(seconds, float(stream.frames / stream.average_rate))
    return seconds


def _seconds(clock: str) -> float | None:
    """Seconds of `00:00:02.064000000`, as Matroska files tell the end of a stream."""
    found = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", clock)
    if found is None:
        return None
    hours, minutes, seconds = map(float, found.groups())
    return 3600 * hours + 60 * minutes + seconds
