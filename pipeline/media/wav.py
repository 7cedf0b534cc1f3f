"""Mono 16-bit WAV files in memory, at the rate of the samples of a data set."""

from __future__ import annotations

import io
import wave
from typing import TYPE_CHECKING

import numpy as np

from pipeline.media.container import SAMPLE_RATE

if TYPE_CHECKING:
    from numpy.typing import NDArray


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
    """The (N,) samples of a 16 kHz mono 16-bit WAV file.

    Raises:
        ValueError: the file has another rate, width or number of channels.
    """
    with wave.open(io.BytesIO(data)) as file:
        if (file.getnchannels(), file.getsampwidth(), file.getframerate()) != (1, 2, SAMPLE_RATE):
            raise ValueError("not mono 16-bit at 16 kHz")
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.int16)
