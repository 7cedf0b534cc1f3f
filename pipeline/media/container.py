"""Containers opened with FFmpeg: files checked, streams chosen, packets decoded."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import av
import av.error
from av.sidedata import sidedata
from av.stream import Disposition

from pipeline.errors import UserError

FPS = 25
SAMPLE_RATE = 16_000
SAMPLES_PER_FRAME = SAMPLE_RATE // FPS

# Errors of the system, whose own message is the useful one.
_SYSTEM_ERRORS = (
    errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ENAMETOOLONG, errno.ESTALE, errno.ETIMEDOUT,
)  # fmt: skip
_REASONS = {
    errno.EIO: "it is cut off, or its disk fails",  # FFmpeg at the end of a file, or a disk error
    errno.ENOMEM: "too little memory; it is damaged, or very large",  # damaged files ask for any
}
_MAX_STEP_BACK = 0.2  # seconds from one time stamp to the next
_MAX_PAUSE = 600.0  # seconds from one time stamp to the next; calls pause with cameras off

# Of the ISO file format, when it holds pictures.
_PICTURE_BRANDS = frozenset({"heic", "heix", "heim", "heis", "mif1", "avif"})

VIDEO_SUFFIXES = frozenset((
    ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".m2ts", ".m2v", ".m4v",
    ".mjpeg", ".mkv", ".mov", ".mp4", ".mpe", ".mpeg", ".mpg", ".mts", ".mxf", ".ogv", ".qt",
    ".rm", ".rmvb", ".ts", ".vob", ".webm", ".wmv",
))  # fmt: skip
# Files beside videos that hold none, and are not looked into: sound, pictures, text, data.
_OTHER_SUFFIXES = frozenset((
    ".aac", ".ac3", ".aif", ".aiff", ".align", ".avif", ".bin", ".bmp", ".csv", ".flac", ".gif",
    ".heic", ".heif", ".html", ".jpeg", ".jpg", ".json", ".lab", ".m4a", ".md", ".mka", ".mp3",
    ".npy", ".npz", ".oga", ".ogg", ".opus", ".parquet", ".pkl", ".png", ".pt", ".pth", ".py",
    ".sh", ".srt", ".tar", ".textgrid", ".tif", ".tiff", ".toml", ".tsv", ".txt", ".vtt", ".wav",
    ".webp", ".wma", ".xml", ".yaml", ".yml", ".zip",
))  # fmt: skip
# How video containers begin: bytes and their place.
_VIDEO_BEGINNINGS = (
    (4, b"ftyp"), (4, b"moov"), (4, b"mdat"), (0, b"\x1a\x45\xdf\xa3"), (8, b"AVI "),
    (0, b"\x00\x00\x01\xba"), (0, b"\x00\x00\x01\xb3"), (0, b"FLV\x01"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"), (0, b"\x06\x0e\x2b\x34"), (0, b".RMF"),
)  # fmt: skip
# How files begin that are named as media by mistake, and what to do about them.
_NO_MEDIA = (
    (0, b"version https://git-lfs", "a Git LFS pointer and not the file itself; run git lfs pull"),
    (0, b"PK\x03\x04", "a ZIP archive; unpack it"),
    (0, b"\x1f\x8b", "a gzip archive; unpack it"),
    (0, b"BZh", "a bzip2 archive; unpack it"),
    (0, b"\xfd7zXZ", "an xz archive; unpack it"),
    (0, b"7z\xbc\xaf", "a 7z archive; unpack it"),
    (0, b"Rar!", "a RAR archive; unpack it"),
    (257, b"ustar", "a tar archive; unpack it"),
)


def _unnamed_side_data(cls: Any, value: int) -> Any:
    """A member for side data without a name, such as EXIF (31), on which PyAV 18.1 raises."""
    member = object.__new__(cls)
    member._name_, member._value_ = f"UNNAMED_{value}", value
    return member


_SideDataType: Any = sidedata.Type
_SideDataType._missing_ = classmethod(_unnamed_side_data)


class MediaError(UserError):
    """A file that cannot be read as the video, sound or image it should be."""


@contextmanager
def open_container(path: Path | str) -> Iterator[Any]:
    """A container open for reading; what FFmpeg refuses becomes a `MediaError`."""
    name = Path(path)
    _require_file(name)
    try:
        # file: keeps FFmpeg from reading a name with a colon or a leading dash as a protocol.
        with av.open(f"file:{name}", metadata_errors="replace") as container:
            yield container
    except (av.error.FFmpegError, OSError) as error:
        mistaken = _mistaken_content(name)
        if mistaken:
            raise MediaError(f"{name} is {mistaken}") from error
        # The system's message where it is one; FFmpeg's errors in words that help.
        reason = _REASONS.get(error.errno or 0, "no media file, or one that is damaged or cut off")
        if error.errno in _SYSTEM_ERRORS:
            reason = error.strerror or "the system refuses"
        raise MediaError(f"cannot read {name}: {reason}") from error


def is_video(path: str) -> bool:
    """Whether a file is a video by its suffix, or by its beginning where that says nothing."""
    suffix = os.path.splitext(path)[1].lower()  # noqa: PTH122 - a million Paths take a minute
    if suffix in VIDEO_SUFFIXES or suffix in _OTHER_SUFFIXES:
        return suffix in VIDEO_SUFFIXES
    begin = _beginning(path)
    stream = len(begin) > 192 + 4 and (begin[0], begin[188]) == (0x47, 0x47)  # MPEG-TS
    stream |= len(begin) > 192 + 4 and (begin[4], begin[196]) == (0x47, 0x47)  # as in cameras
    return stream or any(begin[at:].startswith(sign) for at, sign in _VIDEO_BEGINNINGS)


def _beginning(path: Path | str) -> bytes:
    """The first 512 bytes of a file; none of what cannot be read."""
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            return b""
        with Path(path).open("rb") as file:
            return file.read(512)
    except OSError:
        return b""


def _mistaken_content(path: Path) -> str:
    """What a file holds in place of media, and what to do; empty where that is not known."""
    begin = _beginning(path)
    if begin.lstrip()[:15].lower().startswith((b"<!doctype html", b"<html")):
        return "a web page, as a download that failed leaves it; download the file again"
    return next((what for at, sign, what in _NO_MEDIA if begin[at:].startswith(sign)), "")


def _require_file(name: Path) -> None:
    """Refuses what is not a file with content: opening a pipe would block without end."""
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
        raise MediaError(f"{name} is empty; was it copied or downloaded completely?")


def streams_of(container: Any, kind: str) -> list[Any]:
    """The streams of a kind, video or audio; a cover picture is no video."""
    covers = Disposition.attached_pic | Disposition.timed_thumbnails
    return [s for s in container.streams if s.type == kind and not s.disposition & covers]


def choose_stream(container: Any, kind: str) -> Any:
    """The stream that a player would choose; None where the container has none of the kind.

    Streams for the visually or hearing impaired come last, those marked as default first; among
    equals FFmpeg chooses by what it decoded of them. Those that it cannot decode are skipped.
    """
    streams = streams_of(container, kind)
    usable = [stream for stream in streams if stream.codec_context is not None]
    name = container.name.removeprefix("file:")
    if streams and not usable:
        raise MediaError(f"{name}: no decoder for its {kind}")
    # Items of a picture file, of which FFmpeg gives each its own stream.
    tiles = any(stream.disposition & Disposition.dependent for stream in usable)
    if kind == "video" and len(usable) > 1 and tiles and is_still_picture(container):
        raise MediaError(
            f"{name} is a HEIC or AVIF picture of {len(usable)} tiles, which cannot be put "
            "together here; convert it to PNG or JPEG"
        )
    if len(usable) < 2:
        return usable[0] if usable else None
    first_rank = max(map(_rank, usable))
    equals = [stream for stream in usable if _rank(stream) == first_rank]
    best = container.streams.best(kind)
    return best if best in equals else equals[0]


def _rank(stream: Any) -> tuple[bool, bool]:
    impaired = stream.disposition & (Disposition.visual_impaired | Disposition.hearing_impaired)
    return not impaired, bool(stream.disposition & Disposition.default)


def decode_frames(container: Any, stream: Any) -> Iterator[Any]:
    """Frames of a stream in order; packets that cannot be decoded are skipped."""
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, IndexError):  # the latter where another stream began: PyAV 18.1
            return
        try:
            frames = packet.decode()
        except av.error.MemoryError:
            raise
        except av.error.FFmpegError:  # damaged data, for which each decoder has its own code
            continue
        yield from frames


def check_time_step(container: Any, before: float, after: float) -> None:
    """Refuses a jump in time stamps, in seconds: what follows belongs to another recording."""
    if before - _MAX_STEP_BACK <= after <= before + _MAX_PAUSE:
        return
    raise MediaError(
        f"{container.name.removeprefix('file:')}: its time stamps jump from {before:.1f} s to "
        f"{after:.1f} s, as where recordings were put end to end; cut it there"
    )


def seek(container: Any, seconds: float) -> bool:
    """Seeks to or before a time stamp; False where that is not reliable."""
    if container.format.name == "mpeg":  # few frames have a time stamp, the rest are miscounted
        return False
    try:
        container.seek(int(seconds * av.time_base), backward=True)
    except (av.error.FFmpegError, OSError):
        return False
    return True


def is_still_picture(container: Any) -> bool:
    """Whether an open file is a picture and not a recording."""
    name = container.format.name
    brand = container.metadata.get("major_brand")
    return bool(name == "image2" or name.endswith("_pipe") or brand in _PICTURE_BRANDS)
