"""The length that a file declares, of which it may hold less.

The index of an MP4 or the header of a Matroska file gives the length of the whole, also when only
its first part arrived.
"""

import re
from dataclasses import dataclass
from typing import Any

# Seconds: rounding, and a last frame or a block of sound that is left out. Words of 0.4 s that
# were cut off lack much more.
_TOLERANCE = 0.2
# Their length is what FFmpeg finds between first and last time stamp: the header declares none.
_WITHOUT_LENGTH = frozenset({"mpeg", "mpegts", "mpegvideo"})


@dataclass(frozen=True)
class DeclaredLength:
    """The length that a file declares."""

    seconds: float = 0.0  # from the first frame to the end; 0 where none is declared
    of_picture: bool = True  # whether that is the picture's; else the longest stream's

    def missing(self, picture: float, sound: float, *, start: float, end: float | None) -> float:
        """Seconds that were declared but not decoded between `start` and `end` (None: of the file).

        `picture` and `sound` are the seconds decoded; 0 for less than the tolerance.
        """
        stop = self.seconds if end is None else min(self.seconds, end)
        missing = stop - start - (picture if self.of_picture else max(picture, sound))
        return missing if missing > _TOLERANCE else 0.0


def declared_length(container: Any, stream: Any, start: float) -> DeclaredLength:
    """The length that an open file declares; `start` is the first frame's time stamp in seconds."""
    name = container.format.name
    if name in _WITHOUT_LENGTH:
        return DeclaredLength()
    # The stream's own length.
    if stream.duration:
        seconds = float(stream.duration * stream.time_base)
        # FFmpeg shortens an AVI whose end is missing, but not the number of its frames.
        if name == "avi" and stream.average_rate:
            seconds = max(seconds, float(stream.frames / stream.average_rate))
        return DeclaredLength(seconds)
    # Its end in a Matroska file, 00:00:02.064000000, which counts from zero as time stamps do.
    clock = re.fullmatch(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)", stream.metadata.get("DURATION", ""))
    if clock is not None:
        hours, minutes, seconds = map(float, clock.groups())
        return DeclaredLength(max(3600 * hours + 60 * minutes + seconds - start, 0.0))
    # The end of the whole file.
    return DeclaredLength(max((container.duration or 0) / 1e6 - start, 0.0), of_picture=False)
