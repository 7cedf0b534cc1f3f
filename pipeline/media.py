"""Any container to RGB frames at 25 fps and 16 kHz sound, and back to a file that plays anywhere.

Time zero is the first video frame; sound that begins later is preceded by silence and sound that
begins earlier is cut, so that frame k and samples [640 k, 640 (k + 1)) belong together.
"""

from __future__ import annotations

import itertools
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import av.error
import cv2
import numpy as np

from pipeline.errors import UserError
from pipeline.files import atomic_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

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
IMAGE_SUFFIXES = frozenset([".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"])

_EPSILON = 1e-6  # seconds; far below any frame's duration, far above rounding of sums
_GAP = 0.1  # seconds of sound missing between two time stamps that become silence
_FASTEST = 1000  # frames a second that are believed
_STAMP_ROUNDING = 1e-3  # seconds; Matroska and FLV write time stamps in whole milliseconds


class MediaError(UserError):
    """A file that cannot be read as the video, sound or image it should be."""


@dataclass(frozen=True)
class VideoInfo:
    """What a container says about its first video stream.

    Attributes:
        width: pixels, as displayed (rotation and pixel aspect applied).
        height: pixels, as displayed.
        fps: average frames a second of the source; 0 when the container does not say.
        start: time stamp of the first frame in seconds, this module's time zero.
        rotation: degrees counter-clockwise that the container asks for: 0, 90, 180 or 270.
        codec: FFmpeg's name of the video codec.
        audio_rate: Hz of the first sound stream; 0 when there is none.
    """

    width: int
    height: int
    fps: float
    start: float
    rotation: int
    codec: str
    audio_rate: int


@dataclass(frozen=True)
class Audio:
    """Sound: `samples` is int16, (N,) when mono or (N, channels); `rate` is in Hz."""

    samples: NDArray[np.int16]
    rate: int = SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


@contextmanager
def _open(path: Path | str) -> Iterator[Any]:
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


def _decoded(container: Any, stream: Any) -> Iterator[Any]:
    """Frames of a stream in order; a packet that does not decode is passed over."""
    for packet in container.demux(stream):
        try:
            yield from packet.decode()
        except av.error.InvalidDataError:
            continue


def _to_rgb(frame: Any, aspect: Fraction | None) -> NDArray[np.uint8]:
    """One decoded frame as displayed: (H, W, 3) uint8 RGB."""
    width = round(frame.width * aspect) if aspect else frame.width
    rgb = frame.reformat(width=width, height=frame.height, format="rgb24").to_ndarray()
    turns = round(frame.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, turns)) if turns else rgb


def _pixel_aspect(stream: Any) -> Fraction | None:
    """Pixel aspect ratio when it is known and not square."""
    aspect = stream.sample_aspect_ratio
    return aspect if aspect and aspect != 1 else None


def _rate(stream: Any) -> float:
    """Average frames a second; 0 where FFmpeg, not knowing it, names the clock's own rate."""
    rate = float(stream.average_rate or 0)
    return rate if rate <= _FASTEST else 0.0


def _timed_frames(container: Any, stream: Any) -> Iterator[tuple[float, Any]]:
    """(seconds, frame) in order; frames without a time stamp follow at the average rate."""
    step = 1 / (_rate(stream) or FPS)
    # AVI stores no display times; what stands in their place is out of order with B-frames.
    by_decoding = container.format.name == "avi"
    time = None
    for frame in _decoded(container, stream):
        stamp = frame.dts if by_decoding else frame.pts
        own = None if stamp is None else float(stamp * frame.time_base)
        if own is None:
            own = 0.0 if time is None else time + step
        if time is None or own > time:  # a stamp that runs backwards would repeat a frame
            time = own
            yield time, frame


def _seek(container: Any, seconds: float) -> bool:
    """Goes to or before a time stamp; False where that cannot be relied upon."""
    if container.format.name == "mpeg":  # few frames bear a stamp, the rest are miscounted
        return False
    try:
        container.seek(int(seconds * av.time_base), backward=True)
    except (av.error.FFmpegError, OSError):
        return False
    return True


def _sought(container: Any, stream: Any, wanted: float) -> Iterator[tuple[float, Any]] | None:
    """What `_timed_frames` gives, from a little before `wanted` on; None if that is out of reach.

    Containers without an index land anywhere, and some count in decoding order, so that the seek
    aims a second early and where it landed is looked at.
    """
    if not _seek(container, wanted - 1):
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
    with _open(path) as container:
        stream = _video_stream(container, path)
        first = next(_timed_frames(container, stream), None)
        if first is None:
            raise MediaError(f"{path} has a video stream but no frame in it that decodes")
        start, frame = first
        aspect = _pixel_aspect(stream)
        width = round(frame.width * aspect) if aspect else frame.width
        height = frame.height
        rotation = round(frame.rotation / 90) % 4 * 90
        if rotation in (90, 270):
            width, height = height, width
        audio = container.streams.audio
        return VideoInfo(
            width=width,
            height=height,
            fps=_rate(stream),
            start=start,
            rotation=rotation,
            codec=stream.codec_context.name,
            audio_rate=int(audio[0].rate or 0) if audio else 0,
        )


def _video_stream(container: Any, path: Path | str) -> Any:
    if not container.streams.video:
        raise MediaError(f"{path} holds no video stream")
    stream = container.streams.video[0]
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
        (H, W, 3) uint8 RGB, as displayed (rotation and pixel aspect applied).

    Raises:
        MediaError: the file is absent, no media file, or holds no video stream.
    """
    with ExitStack() as stack:
        container = stack.enter_context(_open(path))
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
                container = stack.enter_context(_open(path))
                stream = _video_stream(container, path)
                sought = _timed_frames(container, stream)
            frames = sought
        aspect = _pixel_aspect(stream)
        for frame in _nearest(frames, fps, origin + start, _stop(origin, end), stream):
            yield _to_rgb(frame, aspect)


def _stop(origin: float, end: float | None) -> float:
    return float("inf") if end is None else origin + end


def _nearest(
    frames: Iterator[tuple[float, Any]], fps: float, start: float, stop: float, stream: Any
) -> Iterator[Any]:
    """The frame nearest to each of start, start + 1/fps, …, until `stop` or the last frame ends."""
    k = 0
    gap = 1 / FPS
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
    rate = _rate(stream)
    last = time + (1 / rate if rate else gap) - _STAMP_ROUNDING
    while (wanted := start + k / fps) < min(last, stop - _EPSILON):
        yield frame
        k += 1


@dataclass
class Frames:
    """The frames of a video, as often as one likes: kept while they are few, decoded anew if not.

    Preparation passes twice over a clip, once to find the face and once to crop. Short clips stay
    in memory; a long one costs a second decoding rather than the machine's memory.

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
            total += frame.nbytes
            if total > self.keep_bytes:
                kept = None
            if kept is not None:
                kept.append(frame)
            yield frame
        self._kept = kept


def read_audio(
    path: Path | str,
    *,
    rate: int | None = SAMPLE_RATE,
    mono: bool = True,
    start: float = 0.0,
    end: float | None = None,
) -> Audio:
    """Decodes the first sound stream, lined up with the video's first frame if there is a video.

    Args:
        path: any container FFmpeg reads.
        rate: Hz of the result; None keeps the source's.
        mono: mix to one channel; otherwise at most two are kept.
        start: seconds after time zero at which to begin.
        end: seconds after time zero at which to stop; None reads to the end.

    Raises:
        MediaError: the file is absent, no media file, or holds no sound.
    """
    origin = _time_zero(path)
    begin = origin + start
    stop = float("inf") if end is None else origin + end
    found = _sound(path, rate, mono=mono, begin=begin, stop=stop) if start > 1 else None
    if found is None or found[0] > begin:  # not to be sought in, or it landed too late
        found = _sound(path, rate, mono=mono, begin=None, stop=stop)
    if found is None:
        raise MediaError(f"{path} has a sound stream but nothing in it that decodes")
    first, sound = found
    offset = round((first - begin) * sound.rate)
    return Audio(_placed(sound.samples, offset, sound.rate, start, end), sound.rate)


def _time_zero(path: Path | str) -> float:
    """Time stamp of the first video frame; of the first sound where there is no picture."""
    with _open(path) as container:
        if not container.streams.audio:
            raise MediaError(f"{path} holds no sound stream")
        has_picture = any(
            not (stream.disposition & av.stream.Disposition.attached_pic)
            for stream in container.streams.video
        )
        if not has_picture:
            first = next(_decoded(container, container.streams.audio[0]), None)
            return float(first.time or 0.0) if first is not None else 0.0
    return probe(path).start


def _sound(
    path: Path | str, rate: int | None, *, mono: bool, begin: float | None, stop: float
) -> tuple[float, Audio] | None:
    """Sound from before the time stamp `begin` until after `stop`, and the stamp it starts at."""
    with _open(path) as container:
        stream = container.streams.audio[0]
        rate = rate or int(stream.rate)
        layout = "mono" if mono or stream.codec_context.channels == 1 else "stereo"
        resampler = av.AudioResampler(format="s16", layout=layout, rate=rate)
        if begin is not None and not _seek(container, begin - 0.5):
            return None
        chunks: list[NDArray[np.int16]] = []
        first: float | None = None
        heard = 0.0
        for frame in _decoded(container, stream):
            time = frame.time
            if first is None:
                first = float(time or 0.0)
            elif chunks and time is not None and (gap := time - first - heard) > _GAP:
                chunks.append(np.zeros((round(gap * rate), *chunks[0].shape[1:]), np.int16))
                heard += gap
            heard += frame.samples / frame.sample_rate
            chunks += [_samples(part) for part in resampler.resample(frame)]
            if first + heard > stop + 0.1:
                break
        chunks += [_samples(part) for part in resampler.resample(None)]
    if first is None or not chunks:
        return None
    return first, Audio(np.concatenate(chunks), rate)


def _samples(frame: Any) -> NDArray[np.int16]:
    """A packed s16 frame as (N,) or (N, channels)."""
    channels = frame.layout.nb_channels
    flat = frame.to_ndarray().reshape(-1)
    return flat if channels == 1 else flat.reshape(-1, channels)


def _placed(
    samples: NDArray[np.int16], offset: int, rate: int, start: float, end: float | None
) -> NDArray[np.int16]:
    """Shifts samples to begin at `offset` (silence before, or cut) and ends them at `end`."""
    if offset >= 0:
        silence = np.zeros((offset, *samples.shape[1:]), np.int16)
        samples = np.concatenate([silence, samples])
    else:
        samples = samples[-offset:]
    return samples if end is None else samples[: round((end - start) * rate)]


def fit_audio(samples: NDArray[np.int16], frames: int) -> NDArray[np.int16]:
    """Cuts or pads mono 16 kHz sound with silence to exactly `frames` x 640 samples."""
    wanted = frames * SAMPLES_PER_FRAME
    return np.pad(samples[:wanted], (0, max(0, wanted - len(samples))))


def read_image(path: Path | str) -> NDArray[np.uint8]:
    """Reads a picture, turned as its EXIF data asks: (H, W, 3) uint8 RGB.

    Raises:
        MediaError: the file is absent or no picture.
    """
    name = Path(path)
    if not name.exists():
        raise MediaError(f"no such file: {name}")
    data = np.frombuffer(name.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise MediaError(f"cannot read {name} as a picture; PNG and JPEG are safe choices")
    return cast("NDArray[np.uint8]", cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def write_image(path: Path | str, image: NDArray[np.uint8]) -> None:
    """Writes (H, W, 3) uint8 RGB as a picture, the format by the suffix, atomically."""
    if not cv2.haveImageWriter(str(path)):
        raise MediaError(f"cannot write {path}: use a name that ends in .png or .jpg")
    with atomic_path(path) as temporary:
        cv2.imwrite(str(temporary), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))


def write_video(
    path: Path | str,
    frames: Iterable[NDArray[np.uint8]],
    *,
    fps: int = FPS,
    audio: Audio | None = None,
    crf: int = 12,
    metadata: dict[str, str] | None = None,
) -> int:
    """Writes H.264 (yuv420p) and AAC, cut to the length of the frames, atomically.

    Args:
        path: the output; .mp4, .mov or .mkv.
        frames: (H, W, 3) uint8 RGB, all of one even size; written as they come.
        fps: frames a second.
        audio: sound, or None for a silent file.
        crf: x264's constant rate factor: 0 lossless … 51; 12 gives about
            42 dB on faces, most of the loss being chroma.
        metadata: container tags.

    Returns:
        The number of frames written.

    Raises:
        MediaError: the suffix names no container for H.264, or there is not one frame.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in {".mp4", ".mov", ".mkv"}:
        raise MediaError(f"cannot write {path}: use a name that ends in .mp4, .mov or .mkv")
    count = 0
    with atomic_path(path) as temporary:
        options = {} if suffix == ".mkv" else {"movflags": "+faststart+use_metadata_tags"}
        with av.open(f"file:{temporary}", "w", options=options) as container:
            container.metadata.update(metadata or {})
            video: Any = None
            sound = _audio_stream(container, audio) if audio is not None else None
            for frame in frames:
                if video is None:
                    video = _video_output(container, frame, fps, crf)
                for packet in video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                    container.mux(packet)
                count += 1
            if video is None:
                raise MediaError(f"nothing to write to {path}: there is not one frame")
            container.mux(video.encode(None))
            if audio is not None:
                _encode_audio(container, sound, audio, count / fps)
    return count


def _video_output(container: Any, frame: NDArray[np.uint8], fps: int, crf: int) -> Any:
    stream = container.add_stream("libx264", rate=fps)
    stream.height, stream.width = frame.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.options = {"crf": str(crf), "preset": "medium"}
    # swscale converts RGB with the BT.601 matrix; saying so keeps players from guessing BT.709.
    stream.codec_context.colorspace = 6
    stream.codec_context.color_range = 1
    return stream


def _audio_stream(container: Any, audio: Audio) -> Any:
    layout = "mono" if audio.samples.ndim == 1 else "stereo"
    return container.add_stream("aac", rate=audio.rate, layout=layout)


def _encode_audio(container: Any, stream: Any, audio: Audio, seconds: float) -> None:
    samples = audio.samples[: round(seconds * audio.rate)]
    step = 1024
    layout = "mono" if samples.ndim == 1 else "stereo"
    for begin in range(0, len(samples), step):
        packed = np.ascontiguousarray(samples[begin : begin + step]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate = audio.rate
        frame.pts = begin
        frame.time_base = Fraction(1, audio.rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
