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
    decoded,
    first_stream,
    open_container,
    refuse_jump,
    seek,
)
from pipeline.media.video import probe

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

# Seconds by which sound may stray from its time stamps, which jitter where calls were recorded; in
# 346 real files it strays by 1.2 ms at most. Beyond that, silence fills what is missing, and what
# is there twice is cut. So it is where the format changes, about which decoders stumble.
_STRAY = 0.04


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
    """Decodes the first sound stream, lined up with the video's first frame if there is a video.

    Args:
        path: any container FFmpeg reads.
        rate: Hz of the result; None keeps the source's.
        mono: mix to one channel; otherwise at most two are kept.
        start: seconds after time zero at which to begin.
        end: seconds after time zero at which to stop; None reads to the end.
        origin: time stamp of time zero where it is known, `VideoInfo.start`; None looks for it.

    Raises:
        MediaError: the file is absent, no media file, or holds no sound.
    """
    origin = _time_zero(path) if origin is None else origin
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
    with open_container(path) as container:
        stream = first_stream(container, "audio")
        if stream is None:
            raise MediaError(f"{path} holds no sound stream")
        if first_stream(container, "video") is None:
            first = next(decoded(container, stream), None)
            return float(first.time or 0.0) if first is not None else 0.0
    return probe(path).start


def _sound(
    path: Path | str, rate: int | None, *, mono: bool, begin: float | None, stop: float
) -> tuple[float, Audio] | None:
    """Sound from before the time stamp `begin` until after `stop`, and the stamp it starts at."""
    with open_container(path) as container:
        stream = first_stream(container, "audio")
        rate = rate or int(stream.rate)
        layout = "mono" if mono or stream.codec_context.channels == 1 else "stereo"
        if begin is not None and not seek(container, begin - 0.5):
            return None
        resampler = _Resampler(rate, layout)
        chunks: list[NDArray[np.int16]] = []
        first: float | None = None
        before = heard = 0.0
        for frame in decoded(container, stream):
            time = frame.time
            if first is None:
                first = before = float(time or 0.0)
            elif time is not None:
                refuse_jump(container, before, time)
                before = time
                stray = 0 if resampler.is_new_to(frame) else _STRAY
                if chunks and abs(gap := time - first - heard) > stray:
                    chunks = _moved(chunks, round(gap * rate))
                    heard += gap
            heard += frame.samples / frame.sample_rate
            chunks += resampler.samples(frame)
            if first + heard > stop + 0.1:
                break
        chunks += resampler.samples(None)
    if first is None or not chunks:
        return None
    return first, Audio(np.concatenate(chunks), rate)


def _moved(chunks: list[NDArray[np.int16]], by: int) -> list[NDArray[np.int16]]:
    """Sound followed by `by` samples of silence, or less its last samples if that is negative."""
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
    """Frames of any format, which may change on the way, as samples of one rate and layout."""

    def __init__(self, rate: int, layout: str) -> None:
        self._rate, self._layout = rate, layout
        self._format: tuple[str, str, int] | None = None
        self._resampler: av.AudioResampler | None = None

    def is_new_to(self, frame: Any) -> bool:
        """Whether a frame's format is another than that of the frame before it."""
        return _format(frame) != self._format

    def samples(self, frame: Any) -> list[NDArray[np.int16]]:
        """What a frame gives; for None, what is still to come."""
        done: list[Any] = []
        if self._resampler is not None and (frame is None or self.is_new_to(frame)):
            done = self._resampler.resample(None)
            self._resampler = None
        if frame is not None:
            if self._resampler is None:
                self._resampler = av.AudioResampler("s16", self._layout, self._rate)
                self._format = _format(frame)
            done += self._resampler.resample(frame)
        return [_samples(part) for part in done]


def _format(frame: Any) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


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
