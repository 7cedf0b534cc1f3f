"""Sound read as 16-bit samples, lined up with the video's first frame."""

import io
import wave
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
from pipeline.media.mixer import Mixer
from pipeline.media.notes import Note
from pipeline.media.video import probe

# Seconds by which sound may differ from its time stamps, which jitter in recorded calls. Beyond
# that, gaps are filled with silence and overlaps are cut. Where the format changes, where decoders
# lose or repeat samples, any difference counts.
_TIME_TOLERANCE = 0.04
_MOST_SILENCE = 3600.0  # seconds before and between packets; more are errors of the file


@dataclass(frozen=True)
class Audio:
    """Sound."""

    samples: NDArray[np.int16]  # (N,) when mono or (N, channels)
    rate: int = SAMPLE_RATE  # Hz
    notes: tuple[Note, ...] = ()  # how its channels were chosen or mixed

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

    Channels that cancel each other in the mix to mono are replaced by the loudest of them; without
    `mono` there are two at most. `rate` is in Hz, and None keeps the source's; `start` and `end`
    are seconds after time zero, whose time stamp is `origin` (`VideoInfo.start`; None reads it).
    """
    origin = _time_zero(path) if origin is None else origin
    begin = origin + start
    stop = float("inf") if end is None else origin + end

    def read(mixer: Mixer) -> tuple[float, NDArray[np.int16], int]:
        # A start further in is sought; where that fails the file is decoded from its beginning.
        found = _decode(path, rate, mixer, begin=begin, stop=stop) if start > 1 else None
        if found is None or found[0] > begin:
            found = _decode(path, rate, mixer, begin=None, stop=stop)
        if found is None:
            raise MediaError(f"{path} has a sound stream but nothing in it that decodes")
        return found

    mixer = Mixer(mono=mono)
    first, samples, rate = read(mixer)
    if (channel := mixer.loudest_of_cancelling()) is not None:
        mixer = Mixer(mono=mono, only=channel)
        first, samples, rate = read(mixer)
    # Samples before `start` are cut; sound that begins later is preceded by silence.
    _check_silence(path, first - begin)
    offset = round((first - begin) * rate)
    samples = samples[max(0, -offset) :]
    if offset > 0:
        silence = np.zeros((offset, *samples.shape[1:]), np.int16)
        samples = np.concatenate([silence, samples])
    if end is not None:
        samples = samples[: round((end - start) * rate)]
    return Audio(samples, rate, mixer.notes)


def _time_zero(path: Path | str) -> float:
    """Time stamp of the first video frame; of the first sound where no picture decodes."""
    with open_container(path) as container:
        if choose_stream(container, "audio") is None:
            raise MediaError(f"{path} holds no sound stream")
    with suppress(MediaError):  # no picture, or one that cannot be decoded: sound needs none
        return probe(path).start
    with open_container(path) as container:
        first = next(decode_frames(container, choose_stream(container, "audio")), None)
        return float(first.time or 0.0) if first is not None else 0.0


def _decode(
    path: Path | str, rate: int | None, mixer: Mixer, *, begin: float | None, stop: float
) -> tuple[float, NDArray[np.int16], int] | None:
    """First time stamp, samples and rate of the sound from before `begin` until after `stop`.

    None where the file cannot be sought in, or no packet decodes.
    """
    with open_container(path) as container:
        stream = choose_stream(container, "audio")
        rate = rate or int(stream.rate or 0)
        if begin is not None and not seek(container, begin - 0.5):
            return None
        chunks: list[NDArray[np.int16]] = []
        first: float | None = None
        before = seconds = silence = 0.0  # the last time stamp; sound so far; silence in it
        for frame in decode_frames(container, stream):
            time = frame.time
            if first is None:
                first = before = float(time or 0.0)
                rate = rate or frame.sample_rate  # damaged headers declare none
                mixer.open(rate, frame.layout.nb_channels)
            elif time is not None:
                check_time_step(container, before, time)
                before = time
                tolerance = 0 if mixer.is_new_format(frame) else _TIME_TOLERANCE
                if chunks and abs(gap := time - first - seconds) > tolerance:
                    silence += max(gap, 0.0)
                    _check_silence(path, silence)
                    chunks = _move_end(chunks, round(gap * rate))
                    seconds += gap
            seconds += frame.samples / frame.sample_rate
            chunks += mixer.mixed(frame)
            if first + seconds > stop + 0.1:
                break
        chunks += mixer.mixed(None)
    if first is None or not chunks or not rate:
        return None
    return first, np.concatenate(chunks), rate


def _check_silence(path: Path | str, seconds: float) -> None:
    """Refuses damaged time stamps, between which silence could fill any memory."""
    if seconds > _MOST_SILENCE:
        raise MediaError(
            f"{path}: by its time stamps {seconds:.0f} s of its sound are silence; they are "
            "damaged, or recordings were put end to end"
        )


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


def fit_audio(samples: NDArray[np.int16], frames: int) -> NDArray[np.int16]:
    """Cuts or pads mono 16 kHz sound with silence to exactly `frames` x 640 samples."""
    length = frames * SAMPLES_PER_FRAME
    return np.pad(samples[:length], (0, max(0, length - len(samples))))


def wav_bytes(samples: NDArray[np.int16]) -> bytes:
    """A 16 kHz mono WAV file of (N,) samples."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return buffer.getvalue()


def wav_samples(data: bytes) -> NDArray[np.int16]:
    """The (N,) samples of a 16 kHz mono 16-bit WAV file."""
    with wave.open(io.BytesIO(data)) as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, SAMPLE_RATE):
            raise ValueError("not mono 16-bit at 16 kHz")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
