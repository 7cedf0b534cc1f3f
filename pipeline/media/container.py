"""Opening what FFmpeg reads, and the constants of everything read."""

from __future__ import annotations

import errno
import stat
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

_OF_THE_SYSTEM = (
    errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG, errno.ESTALE, errno.ETIMEDOUT,
)  # fmt: skip
_FURTHEST_BACK = 0.2  # seconds between two time stamps; none of 346 real files goes back at all
_LONGEST_PAUSE = 600.0  # seconds between two time stamps; calls are recorded with cameras off

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
    _make_sure_of_a_file(name)
    try:
        # file: keeps FFmpeg from reading a name with a colon or a leading dash as a protocol.
        with av.open(f"file:{name}", metadata_errors="replace") as container:
            yield container
    except (av.error.FFmpegError, OSError) as error:
        raise MediaError(f"cannot read {name}: {_reason(error)}") from error


def _reason(error: av.error.FFmpegError | OSError) -> str:
    """What the system says; of what FFmpeg says, that nobody can use, what it comes to."""
    if error.errno == errno.EIO:  # FFmpeg's word for the end of a file, and the system's for disks
        return "it is cut off, or its disk fails"
    if error.errno == errno.ENOMEM:  # damaged files ask for any size
        return "too little memory; it is damaged, or very large"
    if error.errno in _OF_THE_SYSTEM:
        return error.strerror or "the system refuses"
    return "no media file, or one that is damaged or cut off"


def _make_sure_of_a_file(name: Path) -> None:
    """Refuses what is no file with something in it: a pipe would be waited for without end."""
    try:
        found = name.stat()
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise MediaError(f"{name} is a link that leads back to itself") from error
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise MediaError(f"cannot read {name}: {error.strerror}") from error
        if name.is_symlink():
            raise MediaError(f"{name} is a link to {name.readlink()}, which is absent") from error
        raise MediaError(f"no such file: {name}") from error
    if not stat.S_ISREG(found.st_mode):
        kind = "folder" if stat.S_ISDIR(found.st_mode) else "pipe or a device"
        raise MediaError(f"{name} is a {kind}, not a media file")
    if not found.st_size:
        raise MediaError(f"{name} is empty; was it copied or fetched to its end?")


def first_stream(container: Any, kind: str) -> Any:
    """The first stream of a kind, video or audio; None where there is none.

    A cover beside a recording is no video; streams that FFmpeg cannot decode are passed over.

    Raises:
        MediaError: none of those that are there can be decoded.
    """
    streams = [
        stream
        for stream in container.streams
        if stream.type == kind and not stream.disposition & av.stream.Disposition.attached_pic
    ]
    for stream in streams:
        if stream.codec_context is not None:
            return stream
    if streams:
        raise MediaError(f"{container.name.removeprefix('file:')}: no decoder for its {kind}")
    return None


def decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Frames of a stream in order; a packet that does not decode is passed over."""
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:  # damaged data: each decoder has a code of its own for it
            continue
        yield from frames


def refuse_jump(container: Any, before: float, after: float) -> None:
    """Makes sure that time goes on from one time stamp to the next, both in seconds.

    Raises:
        MediaError: it does not: what follows belongs to another recording, or to none.
    """
    if before - _FURTHEST_BACK <= after <= before + _LONGEST_PAUSE:
        return
    raise MediaError(
        f"{container.name.removeprefix('file:')}: its time stamps jump from {before:.1f} s to "
        f"{after:.1f} s, as where recordings were put end to end; cut it there"
    )


def seek(container: Any, seconds: float) -> bool:
    """Goes to or before a time stamp; False where that cannot be relied upon."""
    if container.format.name == "mpeg":  # few frames bear a stamp, the rest are miscounted
        return False
    try:
        container.seek(int(seconds * av.time_base), backward=True)
    except (av.error.FFmpegError, OSError):
        return False
    return True
