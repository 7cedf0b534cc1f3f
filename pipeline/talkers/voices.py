"""Two voices with phone timing: the LibriVox recordings in pocketsphinx' source package."""

import json
import tarfile
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

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
    """One sentence in one voice."""

    sentence: str  # number of the LibriVox recording
    voice: str  # a key of `VOICES`
    text: str
    samples: NDArray[np.int16]  # (N,) at 16 kHz
    phones: tuple[Phone, ...]  # in order, without gaps


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
            # In pocketsphinx' alignment b is a beginning, d a duration, t a name or a text.
            phones = tuple(
                Phone(phone["t"], phone["b"], round(phone["b"] + phone["d"], 3))
                for word in words["w"]
                for phone in word["w"]
            )
            found[sentence] = Utterance(
                sentence, "recorded", words["t"], wav_samples(sound.read()), phones
            )
    return found


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
    return replace(recorded, voice=voice, samples=clipped, phones=phones)
