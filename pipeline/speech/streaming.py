"""Sound that is still coming: to 16 kHz, and to speech features as early as they can be known."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError
from pipeline.media import SAMPLE_RATE, SAMPLES_PER_FRAME
from pipeline.speech.mfcc import mfcc_windows

# The window of a frame reaches two frames beyond its own on either side; pre-emphasis, a sample.
_BEFORE, _AFTER = 3, 2
_FORMATS = {"int16": "s16", "float32": "flt"}  # of samples, by FFmpeg's names
_RATES = range(4000, 384_001)  # Hz
_LARGEST = 2.0  # float32 sample; filters of a sound card go a little beyond 1


def speech_samples(
    chunks: Iterable[NDArray[Any]], rate: int = SAMPLE_RATE
) -> Iterator[NDArray[np.int16]]:
    """Sound of any rate, 4,000 to 384,000 Hz, as models take it: (m,) int16, mono, 16 kHz.

    Chunks are (n,) int16, or float32 in [-1, 1], mono, of any lengths; a `UserError` says if they
    are not. Sound that has the rate already stays as it is.
    """
    if rate not in _RATES:
        raise UserError(f"speech of {rate} Hz; a rate lies between 4000 and 384000 Hz")
    resampler = av.AudioResampler("s16", "mono", SAMPLE_RATE)
    for chunk in chunks:
        if chunk.ndim != 1 or chunk.dtype.name not in _FORMATS:
            found = f"{chunk.shape} {chunk.dtype}"
            raise UserError(f"speech is (N,) int16, or float32 in -1 … 1, mono, not {found}")
        peak = np.abs(chunk).max(initial=0)
        if chunk.dtype == np.float32 and not peak <= _LARGEST:
            raise UserError(f"float32 speech is in -1 … 1; here is a sample of {peak:g}")
        if len(chunk):
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(chunk[None]), _FORMATS[chunk.dtype.name], "mono"
            )
            frame.sample_rate = rate
            yield from (part.to_ndarray()[0] for part in resampler.resample(frame))
    yield from (part.to_ndarray()[0] for part in resampler.resample(None))


def stream_mfcc_windows(chunks: Iterable[NDArray[np.int16]]) -> Iterator[NDArray[np.float32]]:
    """The rows of `mfcc_windows`, each when the 80 ms of sound after its frame are there.

    Chunks are (n,) int16, mono 16 kHz, of any lengths; silence follows the last one. The (18 x 13,)
    rows are bit for bit those of `mfcc_windows` of all chunks together.
    """
    sound = np.zeros(0, np.int16)  # from the first frame that is still needed
    kept = 0  # frames before the next one that `sound` begins with
    for chunk in chain(chunks, [None]):
        if chunk is not None:
            sound = np.concatenate([sound, chunk])
        while True:
            rest = len(sound) - kept * SAMPLES_PER_FRAME
            complete = rest >= (1 + _AFTER) * SAMPLES_PER_FRAME
            if not complete and (chunk is not None or rest <= 0):
                break
            frames = kept + 1 + min(_AFTER, -(-rest // SAMPLES_PER_FRAME) - 1)
            yield mfcc_windows(sound, frames)[kept]
            if kept == _BEFORE:
                sound = sound[SAMPLES_PER_FRAME:]
            else:
                kept += 1
