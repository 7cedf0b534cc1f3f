"""Opening what FFmpeg reads, and the constants of everything read."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import av.error

from pipeline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

FPS = 25
SAMPLE_RATE = 16_000
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS

VIDEO_SUFFIXES = frozenset(
    [
        ".avi",
        ".flv",
        ".m4v",
        ".mkv",
        ".mov",
        ".mp4",
        ".mpeg",
        ".mpg",
        ".ogv",
        ".ts",
        ".vob",
        ".webm",
        ".wmv",
        ".3gp",
    ]
)


class MediaError(UserError):
    """A file that cannot be read as the video, sound or image it should be."""


@contextmanager
def open_container(path: Path | str) -> Iterator[Any]:
    """A container open for reading; what FFmpeg refuses becomes a `MediaError`."""
    name = Path(path)
    if not name.exists():
        raise MediaError(f"no such file: {name}")
    try:
        # file: keeps FFmpeg from reading a name with a colon or a leading dash as a protocol.
        with av.open(f"file:{name}", metadata_errors="replace") as container:
            yield container
    except (av.error.FFmpegError, OSError) as error:
        reason = error.strerror or type(error).__name__
        raise MediaError(f"cannot read {name}: {reason}; is it a whole media file?") from error


def decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Frames of a stream in order; a packet that does not decode is passed over."""
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue


def seek(container: Any, seconds: float) -> bool:
    """Goes to or before a time stamp; False where that cannot be relied upon."""
    if container.format.name == "mpeg":  # few frames bear a stamp, the rest are miscounted
        return False
    try:
        container.seek(int(seconds * av.time_base), backward=True)
    except (av.error.FFmpegError, OSError):
        return False
    return True
