"""Video read at a constant rate: output k is the source frame nearest to k / fps."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from av.video.reformatter import VideoReformatter

from pipeline.media.container import (
    FPS,
    MediaError,
    decoded,
    first_stream,
    open_container,
    refuse_jump,
    seek,
)
from pipeline.media.display import displayed_size, rgb_as_displayed, stored_size
from pipeline.media.stated_length import Stated, stated

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_EPSILON = 1e-6  # seconds; far below any frame's duration, far above rounding of sums
_SLOWEST, _FASTEST = 0.1, 1000  # frames a second that are believed
_STAMP_ROUNDING = 1e-3  # seconds; Matroska and FLV write time stamps in whole milliseconds


@dataclass(frozen=True)
class VideoInfo:
    """What a container says about its first video stream.

    Attributes:
        width: pixels, as displayed (rotation and pixel aspect applied).
        height: pixels, as displayed.
        fps: average frames a second of the source; 0 when the container does not say.
        start: time stamp of the first frame in seconds, this module's time zero.
        rotation: degrees counter-clockwise that the container asks for: 0, 90, 180 or 270; that
            it may ask for a mirror image as well is not told.
        codec: FFmpeg's name of the video codec.
        audio_rate: Hz of the first sound stream; 0 when there is none.
        stated: how long it says it is, and whether it is a video at all.
    """

    width: int
    height: int
    fps: float
    start: float
    rotation: int
    codec: str
    audio_rate: int
    stated: Stated


def _rate(stream: Any) -> float:
    """Average frames a second; 0 where FFmpeg, not knowing it, names the clock's own rate."""
    rate = float(stream.average_rate or 0)
    return rate if _SLOWEST <= rate <= _FASTEST else 0.0


def _timed_frames(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    """(seconds, frame) in order; frames without a time stamp follow at the average rate."""
    step = 1 / (_rate(stream) or FPS)
    # AVI stores no display times; what stands in their place is out of order with B-frames.
    by_decoding = container.format.name == "avi"
    time = None
    for frame in decoded(container, stream):
        stamp = frame.dts if by_decoding else frame.pts
        own = None if stamp is None else float(stamp * frame.time_base)
        if own is None:
            own = 0.0 if time is None else time + step
        if time is not None:
            refuse_jump(container, time, own)
        if time is None or own > time:  # a stamp that runs backwards would repeat a frame
            time = own
            yield time, frame


def _sought(container: Any, stream: Any, wanted: float) -> Iterator[tuple[float, Any]] | None:
    """What `_timed_frames` gives, from a little before `wanted` on; None if that is out of reach.

    Containers without an index land anywhere, and some count in decoding order, so that the seek
    aims a second early and where it landed is looked at.
    """
    if not seek(container, wanted - 1):
        return None
    frames = _timed_frames(container, stream)
    first = next(frames, None)
    if first is None or first[0] > wanted + _EPSILON:
        return None
    return itertools.chain([first], frames)


def probe(path: Path | str) -> VideoInfo:
    """Reads what a container says about its video, decoding one frame.

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
        audio = first_stream(container, "audio")
        return VideoInfo(
            width=width,
            height=height,
            fps=_rate(stream),
            start=start,
            rotation=round(frame.rotation / 90) % 4 * 90,
            codec=stream.codec_context.name,
            audio_rate=int(audio.rate or 0) if audio else 0,
            stated=stated(container, stream, start),
        )


def _video_stream(container: Any, path: Path | str) -> Any:
    stream = first_stream(container, "video")
    if stream is None:
        raise MediaError(f"{path} holds no video stream")
    stream.codec_context.thread_count = 1  # workers x threads = cores, and Ray owns the workers
    return stream


def read_frames(
    path: Path | str, *, fps: float = FPS, start: float = 0.0, end: float | None = None
) -> Iterator[NDArray[np.uint8]]:
    """Decodes a video at a constant rate: output k is the source frame nearest to start + k / fps.

    Args:
        path: any container FFmpeg reads.
        fps: output frames a second.
        start: seconds after the first frame at which to begin.
        end: seconds after the first frame at which to stop; None reads to the end.

    Yields:
        (H, W, 3) uint8 RGB, as displayed (rotation and pixel aspect applied); a source frame
        that is shown several times is the same array each time.

    Raises:
        MediaError: the file is absent, no media file, or holds no video stream.
    """
    with ExitStack() as stack:
        container = stack.enter_context(open_container(path))
        stream = _video_stream(container, path)
        frames = _timed_frames(container, stream)
        first = next(frames, None)
        if first is None:
            return
        origin = first[0]
        frames = itertools.chain([first], frames)
        if start > 1:
            sought = _sought(container, stream, origin + start)
            if sought is None:
                container = stack.enter_context(open_container(path))
                stream = _video_stream(container, path)
                sought = _timed_frames(container, stream)
            frames = sought
        size = stored_size(stream, first[1])
        converter = VideoReformatter()
        before = rgb = None
        for frame in _nearest(frames, fps, origin + start, _stop(origin, end), stream):
            if rgb is None or frame is not before:
                before, rgb = frame, rgb_as_displayed(frame, size, converter)
            yield rgb


def _stop(origin: float, end: float | None) -> float:
    return float("inf") if end is None else origin + end


def _nearest(
    frames: Iterator[tuple[float, Any]], fps: float, start: float, stop: float, stream: Any
) -> Iterator[Any]:
    """The frame nearest to each of start, start + 1/fps, …, until `stop` or the last frame ends."""
    k = 0
    gap = None
    time, frame = next(frames, (0.0, None))
    for later, next_frame in frames:
        middle = (time + later) / 2 + _EPSILON
        while (wanted := start + k / fps) <= middle:
            if wanted >= stop - _EPSILON:
                return
            yield frame
            k += 1
        gap, time, frame = later - time, later, next_frame
    if frame is None:
        return
    last = time + _length(_rate(stream), gap) - _STAMP_ROUNDING
    while (wanted := start + k / fps) < min(last, stop - _EPSILON):
        yield frame
        k += 1


def _length(rate: float, gap: float | None) -> float:
    """Seconds for which the last frame is shown: as others, or as the one before it.

    With pauses in a film the average rate tells of them and not of its frames.
    """
    usual = 1 / rate if rate else gap or 1 / FPS
    return usual if gap is None or usual <= 2 * gap else gap


@dataclass
class Frames:
    """The frames of a video, as often as one likes: kept while they are few, decoded anew if not.

    Pasting a face back passes twice over a clip, once to find the face and once to draw. Short
    clips stay in memory; a long one costs a second decoding rather than the machine's memory.

    Attributes:
        path: the video.
        start: seconds after its first frame.
        end: seconds after its first frame, or None.
        keep_bytes: the most that is kept in memory.
    """

    path: Path | str
    start: float = 0.0
    end: float | None = None
    keep_bytes: int = 512 << 20
    _kept: list[NDArray[np.uint8]] | None = field(default=None, init=False, repr=False)

    def __iter__(self) -> Iterator[NDArray[np.uint8]]:
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[NDArray[np.uint8]] | None = []
        total = 0
        for frame in read_frames(self.path, start=self.start, end=self.end):
            total += 0 if kept and frame is kept[-1] else frame.nbytes
            if total > self.keep_bytes:
                kept = None
            if kept is not None:
                kept.append(frame)
            yield frame
        self._kept = kept

    def part(self, kept: slice) -> Iterator[NDArray[np.uint8]]:
        """The frames from `kept.start` up to `kept.stop`."""
        return itertools.islice(iter(self), kept.start, kept.stop)
