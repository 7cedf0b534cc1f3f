"""The options of dh-prep run: everything that shapes a sample, written into the data set."""

from dataclasses import asdict, field
from typing import Annotated, Any, Literal

import typer
from pydantic import ConfigDict, Field, NonNegativeInt
from pydantic.dataclasses import dataclass

from pipeline.choices import Smoothing, Speech
from pipeline.command_options import NO_OPTION
from pipeline.dataset.limits import Limits

Landmarks = Literal["mediapipe", "fan"]
Cuts = Literal["longest", "split", "drop"]
AlignSound = Literal["off", "set", "speaker"]
_OPTION: Any = typer.Option(rich_help_panel="The samples")


@dataclass(frozen=True, config=ConfigDict(extra="forbid"))
class PrepOptions:
    """What shapes a sample; two data sets made with equal options from equal clips are equal.

    Attributes:
        image_size: side of the crops in pixels, a multiple of 8.
        landmarks: what finds the face: mediapipe, or fan (S3FD and FAN, the paper's, for a GPU).
        speech: speech features: mfcc, or released (the authors' speech encoder, which you
            download: dh-prep doctor says where).
        speech_encoder: SHA-256 of that encoder's file, so that no two are mixed; empty for mfcc.
        smoothing: of the alignment over time: authors (mean of 7 frames), gaussian (centred), clip
            (one for the whole clip: the head moves), none.
        clips_per_shard: clips that share a tar.
        bridge_frames: gaps in the landmarks of up to this many frames are interpolated.
        face: of several faces: speaking (the one whose lips move with the sound), largest (when
            first seen), left, right, or an index from 0, the leftmost.
        cuts: of a clip with scene cuts, or whose face goes away: keep the longest stretch, split it
            into a sample for each, or drop a clip with a cut.
        align_sound: take a constant lag of the sound out of the samples: of each collection of the
            manifest (set; without that column all clips are one), or of each speaker with clips
            enough (speaker). Only where their curve of lips against loudness is sure of it.
        limits: which samples are kept, by what is measured of them.
    """

    image_size: Annotated[int, Field(gt=0, multiple_of=8), _OPTION] = 128
    landmarks: Annotated[Landmarks, _OPTION] = "mediapipe"
    speech: Annotated[Speech, _OPTION] = "mfcc"
    speech_encoder: Annotated[str, NO_OPTION] = ""
    smoothing: Annotated[Smoothing, _OPTION] = "authors"
    clips_per_shard: Annotated[int, Field(ge=1), _OPTION] = 32
    bridge_frames: Annotated[NonNegativeInt, NO_OPTION] = 5
    face: Annotated[str, Field(pattern=r"^(speaking|largest|left|right|\d)$"), _OPTION] = "speaking"
    cuts: Annotated[Cuts, _OPTION] = "longest"
    align_sound: Annotated[AlignSound, _OPTION] = "off"
    limits: Limits = field(default_factory=Limits)

    def as_json(self) -> dict[str, Any]:
        """The options as they are written into JSON files; limits that are not set are left out."""
        return self.of_a_sample() | {"limits": self.limits.as_json()}

    def of_a_sample(self) -> dict[str, Any]:
        """The options without the limits, which choose samples and do not shape them."""
        shaping = {name: value for name, value in asdict(self).items() if name != "limits"}
        if not self.speech_encoder:
            del shaping["speech_encoder"]
        if self.align_sound == "off":
            del shaping["align_sound"]
        return shaping


def flat_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options from a JSON file, the limits among the others and under their names of today."""
    shaping = {name: value for name, value in options.items() if name != "limits"}
    return shaping | Limits.from_json(options.get("limits", {})).as_json()
