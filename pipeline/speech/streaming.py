"""Speech features of sound that is still coming, each as early as it can be known."""

from collections.abc import Iterable, Iterator
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from pipeline.media import SAMPLES_PER_FRAME
from pipeline.speech.mfcc import mfcc_windows

# The window of a frame reaches two frames beyond its own on either side; pre-emphasis, a sample.
_BEFORE, _AFTER = 3, 2


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
