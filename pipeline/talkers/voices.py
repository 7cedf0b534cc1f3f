"""Two voices with phone timing: the LibriVox recordings in pocketsphinx' source package."""

import json
import tarfile
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import resample_poly

from pipeline.media.audio import wav_samples
from pipeline.weights import locate

_FOLDER = "pocketsphinx-5.1.1/test/data/librivox/sense_and_sensibility_01_austen_64kb-"
SENTENCES = ("0870", "0880", "0890", "0920", "0930")

# A voice is the recording played at another speed: pitch, formants and tempo change together, as
# between two people of different build. Above 1 is quicker and higher.
VOICES = {"recorded": Fraction(1), "raised": Fraction(6, 5)}


@dataclass(frozen=True)
class Phone:
    """One speech sound: ARPAbet symbol (SIL is silence), first and last second."""

    symbol: str
    start: float
    end: float


@dataclass(frozen=True)
class Utterance:
    """One sentence in one voice.

    Attributes:
        sentence: number of the LibriVox recording.
        voice: a key of `VOICES`.
        text: words of the sentence.
        samples: (N,) int16 at 16 kHz.
        phones: in order, without gaps.
    """

    sentence: str
    voice: str
    text: str
    samples: NDArray[np.int16]
    phones: tuple[Phone, ...]


def read_recordings(weights_dir: Path | str | None = None) -> dict[str, Utterance]:
    """The five sentences as recorded, by number; the package is fetched if need be."""
    found = {}
    with tarfile.open(locate("pocketsphinx-5.1.1.tar.gz", weights_dir)) as archive:
        members = {m.name.removeprefix(_FOLDER): m for m in archive if m.name.startswith(_FOLDER)}
        for sentence in SENTENCES:
            sound = archive.extractfile(members[f"{sentence}.wav"])
            timing = archive.extractfile(members[f"{sentence}.phone.json"])
            assert sound is not None
            assert timing is not None
            words = json.loads(timing.read())
            found[sentence] = Utterance(
                sentence, "recorded", words["t"], wav_samples(sound.read()), _phones(words)
            )
    return found


def _phones(words: Any) -> tuple[Phone, ...]:
    """The phones of pocketsphinx' alignment: `b` is a beginning, `d` a duration, `t` a name."""
    parts = [phone for word in words["w"] for phone in word["w"]]
    return tuple(Phone(part["t"], part["b"], round(part["b"] + part["d"], 3)) for part in parts)


def speak(recorded: Utterance, voice: str) -> Utterance:
    """The sentence in one of `VOICES`."""
    speed = VOICES[voice]
    samples = recorded.samples.astype(np.float64)
    if speed != 1:
        samples = resample_poly(samples, speed.denominator, speed.numerator)
    phones = tuple(
        Phone(p.symbol, round(p.start / float(speed), 4), round(p.end / float(speed), 4))
        for p in recorded.phones
    )
    clipped = np.clip(np.round(samples), -32768, 32767).astype(np.int16)
    return Utterance(recorded.sentence, voice, recorded.text, clipped, phones)
