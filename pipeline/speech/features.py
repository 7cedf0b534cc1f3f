"""The kinds of speech features, one vector a video frame, each in a file of its own.

`mfcc`: see `pipeline.speech.mfcc`; `released`: see `pipeline.speech.released_encoder`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from pipeline.choices import Speech
from pipeline.speech.mfcc import COEFFICIENTS, STEPS, mfcc_windows

# (N,) int16 mono 16 kHz sound and T, the number of video frames, to (T, F) float32 features.
Featurise: TypeAlias = "Callable[[NDArray[np.int16], int], NDArray[np.float32]]"


@dataclass(frozen=True)
class SpeechShape:
    """The shape of a frame's features."""

    steps: int  # vectors in time
    coefficients: int  # of each vector; mean and deviation are taken of each

    @property
    def dim(self) -> int:
        """F, numbers a frame."""
        return self.steps * self.coefficients


SHAPES: dict[Speech, SpeechShape] = {
    "mfcc": SpeechShape(STEPS, COEFFICIENTS),
    "released": SpeechShape(1, 256),
}


def speech_features(name: Speech, encoder: Path | None = None) -> Featurise:
    """The function that computes one kind of features; `released` needs the authors' encoder."""
    if name == "mfcc":
        return mfcc_windows
    from pipeline.speech.released_encoder import ReleasedSpeech

    assert encoder is not None
    return ReleasedSpeech(encoder)
