"""Sound read as 16-bit samples, lined up with the video's first frame."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from pipeline.media.container import (
    SAMPLE_RATE,
    SAMPLES_PER_FRAME,
    MediaError,
    check_time_step,
    choose_stream,
    decode_frames,
    open_container,
    seek,
)
from pipeline.media.video import probe

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Seconds by which sound may differ from its time stamps, which jitter in recorded calls. Beyond
# that, gaps are filled with silence and overlaps are cut. Where the format changes, where decoders
# lose or repeat samples, any difference counts.
_TIME_TOLERANCE = 0.04


@dataclass(frozen=True)
class Audio:
    """Sound: `samples` is int16, (N,) when mono or (N, channels); `rate` is in Hz."""

    samples: NDArray[np.int16]
    rate: int = SAMPLE_RATE

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return len(self.samples) / self.rate


def read_audio(
    path: Path | str,
    *,
    rate: int | None = SAMPLE_RATE,
    mono: bool = True,
    start: float = 0.0,
    end: float | None = None,
    origin: float | None = None,
) -> Audio:
    """Decodes the sound, lined up with the video's first frame if there is a video.

    Args:
        path: any container FFmpeg reads.
        rate: Hz of the result; None keeps the source's.
        mono: mix to one channel; otherwise at most two are kept.
        start: seconds after time zero at which to begin.
        end: seconds after time zero at which to stop; None reads to the end.
        origin: time stamp of time zero, `VideoInfo.start`; None reads it from the file.

    Raises:
        MediaError: the file is absent, no media file, or holds no sound.
    """
    origin = _time_zero(path) if origin is None else origin
    begin = origin + start
    stop = float("inf") if end is None else origin + end
    # A start further in is sought; where that fails the file is decoded from its beginning.
    found = _decode(path, rate, mono=mono, begin=begin, stop=stop) if start > 1 else None
    if found is None or found[0] > begin:
        found = _decode(path, rate, mono=mono, begin=None, stop=stop)
    if found is None:
        raise MediaError(f"{path} has a sound stream but nothing in it that decodes")
    first, sound = found
    # Samples before `start` are cut; sound that begins later is preceded by silence.
    offset = round((first - begin) * sound.rate)
    samples = sound.samples[max(0, -offset) :]
    if offset > 0:
        silence = np.zeros((offset, *samples.shape[1:]), np.int16)
        samples = np.concatenate([silence, samples])
    if end is not None:
        samples = samples[: round((end - start) * sound.rate)]
    return Audio(samples, sound.rate)


def _time_zero(path: Path | str) -> float:
    """Time stamp of the first video frame; of the first sound where there is no picture."""
    with open_container(path) as container:
        stream = choose_stream(container, "audio")
        if stream is None:
            raise MediaError(f"{path} holds no sound stream")
        if choose_stream(container, "video") is None:
            first = next(decode_frames(container, stream), None)
            return float(first.time or 0.0) if first is not None else 0.0
    return probe(path).start


def _decode(
    path: Path | str, rate: int | None, *, mono: bool, begin: float | None, stop: float
) -> tuple[float, Audio] | None:
    """Sound from before the time stamp `begin` until after `stop`, and its first time stamp.

    None where the file cannot be sought in, or no packet decodes.
    """
    with open_container(path) as container:
        stream = choose_stream(container, "audio")
        rate = rate or int(stream.rate)
        layout = "mono" if mono or stream.codec_context.channels == 1 else "stereo"
        if begin is not None and not seek(container, begin - 0.5):
            return None
        resampler = _Resampler(rate, layout)
        chunks: list[NDArray[np.int16]] = []
        first: float | None = None
        before = seconds = 0.0  # the last time stamp; sound decoded so far
        for frame in decode_frames(container, stream):
            time = frame.time
            if first is None:
                first = before = float(time or 0.0)
            elif time is not None:
                check_time_step(container, before, time)
                before = time
                tolerance = 0 if resampler.is_new_format(frame) else _TIME_TOLERANCE
                if chunks and abs(gap := time - first - seconds) > tolerance:
                    chunks = _move_end(chunks, round(gap * rate))
                    seconds += gap
            seconds += frame.samples / frame.sample_rate
            chunks += resampler.samples(frame)
            if first + seconds > stop + 0.1:
                break
        chunks += resampler.samples(None)
    if first is None or not chunks:
        return None
    return first, Audio(np.concatenate(chunks), rate)


def _move_end(chunks: list[NDArray[np.int16]], by: int) -> list[NDArray[np.int16]]:
    """Appends `by` samples of silence to the sound, or cuts its last samples if `by` < 0."""
    if by > 0:
        return [*chunks, np.zeros((by, *chunks[0].shape[1:]), np.int16)]
    while chunks and by < 0:
        last = chunks.pop()
        kept = last[: max(len(last) + by, 0)]
        by += len(last) - len(kept)
        if len(kept):
            chunks.append(kept)
    return chunks


class _Resampler:
    """Converts frames, whose format may change, to samples of one rate and layout."""

    def __init__(self, rate: int, layout: str) -> None:
        self._rate, self._layout = rate, layout
        self._format: tuple[str, str, int] | None = None
        self._resampler: av.AudioResampler | None = None

    def is_new_format(self, frame: Any) -> bool:
        """Whether a frame's format differs from that of the frame before it."""
        return _format(frame) != self._format

    def samples(self, frame: Any) -> list[NDArray[np.int16]]:
        """The samples of a frame, each array (N,) or (N, channels); None flushes the rest."""
        done: list[Any] = []
        if self._resampler is not None and (frame is None or self.is_new_format(frame)):
            done = self._resampler.resample(None)
            self._resampler = None
        if frame is not None:
            if self._resampler is None:
                self._resampler = av.AudioResampler("s16", self._layout, self._rate)
                self._format = _format(frame)
            done += self._resampler.resample(frame)
        channels = [part.layout.nb_channels for part in done]
        flat = [part.to_ndarray().reshape(-1) for part in done]
        return [x if c == 1 else x.reshape(-1, c) for x, c in zip(flat, channels, strict=True)]


def _format(frame: Any) -> tuple[str, str, int]:
    """Sample format, channel layout and rate."""
    return frame.format.name, frame.layout.name, frame.sample_rate


def fit_audio(samples: NDArray[np.int16], frames: int) -> NDArray[np.int16]:
    """Cuts or pads mono 16 kHz sound with silence to exactly `frames` x 640 samples."""
    length = frames * SAMPLES_PER_FRAME
    return np.pad(samples[:length], (0, max(0, length - len(samples))))
