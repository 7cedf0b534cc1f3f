"""Films whose every frame bears its number and whose every sample is known."""

import wave
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from scipy.signal import correlate

from pipeline.media import read_frames

BITS = 8
HEIGHT, WIDTH = 48, 16 * BITS


def numbered(number: int) -> np.ndarray:
    """A frame with its number in eight black or white bars, the lowest bit on the left."""
    bars = [20 + 200 * (number >> bit & 1) for bit in range(BITS)]
    row = np.repeat(np.array(bars, np.uint8), WIDTH // BITS)
    return np.broadcast_to(row[None, :, None], (HEIGHT, WIDTH, 3)).copy()


def number_on(frame: np.ndarray) -> int:
    """The number that a decoded frame of any size bears."""
    height, width = frame.shape[:2]
    row = frame[height // 4 : -height // 4].mean((0, 2))
    centres = ((np.arange(BITS) + 0.5) * width / BITS).astype(int)
    return sum(int(row[c - 1 : c + 2].mean() > 120) << bit for bit, c in enumerate(centres))


def white_noise(seconds: float, rate: int = 16_000) -> np.ndarray:
    """Noise has one place only where it fits itself, so that a shift of one sample shows."""
    rng = np.random.default_rng(0)
    return rng.normal(0, 3000, round(seconds * rate)).astype(np.int16)


def write_numbered(
    path: Path,
    times: Iterable[float],
    *,
    codec: str = "libx264",
    rate: int = 25,
    aspect: Fraction | None = None,
    sound: np.ndarray | None = None,
    sound_from: float = 0.0,
    sound_codec: str = "pcm_s16le",
    without_sound: range = range(0),
    frames: Sequence[np.ndarray] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Writes numbered frames at the given seconds with FFmpeg, and sound at 16 kHz.

    `without_sound` names the packets of sound that get lost.
    """
    whole_frames = path.suffix == ".avi" or codec.startswith("mpeg")
    clock = Fraction(1, rate) if whole_frames else Fraction(1, 90000)
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codec, rate=rate)
        height, width = (HEIGHT, WIDTH) if frames is None else frames[0].shape[:2]
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = video.time_base = clock
        video.options = options or {}
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        audio: Any = None
        if sound is not None:
            audio = container.add_stream(sound_codec, rate=16_000, layout="mono")
        for index, seconds in enumerate(times):
            image = numbered(index) if frames is None else frames[index]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(Fraction(seconds) / clock), clock
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None:
            packets = []
            for begin in range(0, len(sound), 1024):
                piece = np.ascontiguousarray(sound[None, begin : begin + 1024])
                frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
                frame.sample_rate, frame.time_base = 16_000, Fraction(1, 16_000)
                frame.pts = begin + round(sound_from * 16_000)
                packets += audio.encode(frame)
            packets += audio.encode(None)
            container.mux([p for i, p in enumerate(packets) if i not in without_sound])
    return path


def steady(count: int, rate: float) -> list[float]:
    return [index / rate for index in range(count)]


def numbers_in(path: Path, **options: float) -> list[int]:
    return [number_on(frame) for frame in read_frames(path, **options)]


def lag_of(part: np.ndarray, whole: np.ndarray) -> int:
    """Samples by which `part` comes later than `whole`."""
    found = correlate(part.astype(float), whole.astype(float), mode="full")
    return int(found.argmax()) - (len(whole) - 1)


def write_wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path
