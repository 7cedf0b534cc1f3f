"""Video read at a constant rate: output k is the source frame nearest to k / fps."""

import itertools
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from pipeline.media.colour import changes_colour, colour_note
from pipeline.media.container import (
    FPS,
    MediaError,
    check_time_step,
    choose_stream,
    decode_frames,
    is_still_picture,
    open_container,
    seek,
    streams_of,
)
from pipeline.media.declared_length import DeclaredLength, declared_length
from pipeline.media.deinterlace import deinterlace
from pipeline.media.display import colour_profile, displayed_size, rgb_as_displayed, stored_size
from pipeline.media.notes import Note

_EPSILON = 1e-6  # seconds; far below any frame's duration, far above rounding of sums
_MIN_RATE, _MAX_RATE = 0.1, 1000  # frames a second; other values are errors of the file
_STAMP_ROUNDING = 1e-3  # seconds; Matroska and FLV write time stamps in whole milliseconds


@dataclass(frozen=True)
class VideoInfo:
    """Facts about a container and the video stream chosen in it."""

    width: int  # pixels, as displayed (rotation and pixel aspect applied)
    height: int
    fps: float  # average of the source; 0 when the container does not declare it
    start: float  # time stamp of the first frame in seconds, this module's time zero
    audio_rate: int  # Hz of the sound stream that is chosen; 0 when there is none
    is_still: bool  # whether the file is a picture
    declared: DeclaredLength
    # What is done to the first frame to make it usable, and of several tracks that one was chosen.
    notes: tuple[Note, ...] = ()


def probe(path: Path | str) -> VideoInfo:
    """Reads the facts about a video from its container, decoding one frame.

    Raises:
        MediaError: the file is absent, no media file, or holds no video frame.
    """
    with open_container(path) as container:
        stream = _video_stream(container, path)
        first = next(_timed_frames(container, stream), None)
        if first is None:
            raise MediaError(f"{path} has a video stream but no frame in it that decodes")
        start, frame = first
        width, height = displayed_size(stream, frame)
        audio = choose_stream(container, "audio")
        profile = colour_profile(stream, frame)
        notes: list[Note | None] = [
            colour_note(frame) or ("profile-converted" if changes_colour(profile) else None),
            "deinterlaced" if frame.interlaced_frame else None,
            "video-track-chosen" if len(streams_of(container, "video")) > 1 else None,
            "audio-track-chosen" if len(streams_of(container, "audio")) > 1 else None,
        ]
        return VideoInfo(
            width=width,
            height=height,
            fps=_rate(stream),
            start=start,
            audio_rate=int(audio.rate or 0) if audio else 0,
            is_still=is_still_picture(container),
            declared=declared_length(container, stream, start),
            notes=tuple(note for note in notes if note is not None),
        )


def read_frames(
    path: Path | str, *, fps: float = FPS, start: float = 0.0, end: float | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Decodes a video at a constant rate: output k is the source frame nearest to start + k / fps.

    `start` and `end` are seconds after the first frame. Frames are (H, W, 3) uint8 RGB, as
    displayed (rotation and pixel aspect applied); one that is shown several times is the same array
    each time.
    """
    with ExitStack() as stack:
        # The first frame is time zero and decides the size.
        container = stack.enter_context(open_container(path))
        stream = _video_stream(container, path)
        frames = _timed_frames(container, stream)
        first = next(frames, None)
        if first is None:
            return
        origin = first[0]
        size = stored_size(stream, first[1])
        frames = itertools.chain([first], frames)
        # A start further in is sought; where that fails the file is decoded from its beginning.
        if start > 1:
            from_there = _frames_from(container, stream, origin + start)
            if from_there is None:
                container = stack.enter_context(open_container(path))
                stream = _video_stream(container, path)
                from_there = _timed_frames(container, stream)
            frames = from_there
        # Whole frames at the constant rate; each source frame is converted once.
        stop = float("inf") if end is None else origin + end
        converter = VideoReformatter()
        before = rgb = None
        frames = deinterlace(frames, stream)
        for frame in _nearest(frames, fps, origin + start, stop, stream):
            if rgb is None or frame is not before:
                before, rgb = frame, rgb_as_displayed(stream, frame, size, converter)
            yield rgb


def _video_stream(container: Any, path: Path | str) -> Any:
    stream = choose_stream(container, "video")
    if stream is None:
        raise MediaError(f"{path} holds no video stream")
    stream.codec_context.thread_count = 1  # one worker a core: Ray has the others
    return stream


def _rate(stream: Any) -> float:
    """Average frames a second; 0 where FFmpeg does not know it and gives the clock's own rate."""
    rate = float(stream.average_rate or 0)
    return rate if _MIN_RATE <= rate <= _MAX_RATE else 0.0


def _timed_frames(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    """(seconds, frame) in order; frames without a time stamp follow at the average rate."""
    step = 1 / (_rate(stream) or FPS)
    # AVI stores no display times; FFmpeg's substitutes are out of order with B-frames.
    by_decoding = container.format.name == "avi"
    time = None
    for frame in decode_frames(container, stream):
        stamp = frame.dts if by_decoding else frame.pts
        if stamp is not None:
            stamped = float(stamp * frame.time_base)
        else:
            stamped = 0.0 if time is None else time + step
        if time is not None:
            check_time_step(container, time, stamped)
        if time is None or stamped > time:  # a stamp that runs backwards would repeat a frame
            time = stamped
            yield time, frame


def _frames_from(container: Any, stream: Any, seconds: float) -> Iterator[tuple[float, Any]] | None:
    """`_timed_frames` from a little before a time stamp on; None if it cannot be reached.

    Containers without an index land anywhere, and some count in decoding order, so that the seek
    aims a second early and the place where it landed is checked.
    """
    if not seek(container, seconds - 1):
        return None
    frames = _timed_frames(container, stream)
    first = next(frames, None)
    if first is None or first[0] > seconds + _EPSILON:
        return None
    return itertools.chain([first], frames)


def _nearest(
    frames: Iterator[tuple[float, Any]], fps: float, start: float, stop: float, stream: Any
) -> Iterator[Any]:
    """The frame nearest to each of start, start + 1/fps, …, until `stop` or the last frame ends."""
    k = 0
    gap = None
    time, frame = next(frames, (0.0, None))
    for later, next_frame in frames:
        middle = (time + later) / 2 + _EPSILON
        while (moment := start + k / fps) <= middle:
            if moment >= stop - _EPSILON:
                return
            yield frame
            k += 1
        gap, time, frame = later - time, later, next_frame
    if frame is None:
        return
    # The last frame is shown as long as an average one, or, in a film with pauses, whose average
    # rate is too low, as long as the one before it.
    rate = _rate(stream)
    length = 1 / rate if rate else gap or 1 / FPS
    if gap is not None and length > 2 * gap:
        length = gap
    last = time + length - _STAMP_ROUNDING
    while (moment := start + k / fps) < min(last, stop - _EPSILON):
        yield frame
        k += 1


@dataclass(frozen=True)
class Frames:
    """The frames of a video, decoded anew whenever they are iterated over."""

    path: Path | str
    start: float = 0.0  # seconds after its first frame
    end: float | None = None

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        return read_frames(self.path, start=self.start, end=self.end)

    def part(self, kept: slice) -> Iterator[NDArray[np.uint8]]:
        """The frames from `kept.start` up to `kept.stop`."""
        return itertools.islice(self, kept.start, kept.stop)
