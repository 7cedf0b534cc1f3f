"""The options of dh-prep run: everything that shapes a sample, written into the data set."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from pipeline.dataset.limits import Limits

if TYPE_CHECKING:
    from pipeline.faces.alignment import Smoothing
    from pipeline.speech.features import Speech

Landmarks = Literal["mediapipe", "fan"]
Cuts = Literal["longest", "split", "drop"]


@dataclass(frozen=True)
class PrepOptions:
    """What shapes a sample; two data sets made with equal options from equal clips are equal.

    Attributes:
        image_size: side S of the crops in pixels.
        landmarks: landmark backend.
        speech: speech features: `mfcc`, or `released` for the embeddings of the authors' encoder.
        speech_encoder: SHA-256 of that encoder's file, so that no two are mixed; empty for mfcc.
        smoothing: of the alignment over time, see `pipeline.faces.alignment.smooth`.
        clips_per_shard: clips that share a tar.
        bridge_frames: gaps in the landmarks of up to this many frames are interpolated.
        cuts: what becomes of a clip with scene cuts, or whose face is away for longer: `longest`
            keeps its longest stretch, `split` makes a sample of every stretch, `drop` drops a
            clip with a cut.
        limits: which samples are kept, by what is measured of them.
    """

    image_size: int = 128
    landmarks: Landmarks = "mediapipe"
    speech: Speech = "mfcc"
    speech_encoder: str = ""
    smoothing: Smoothing = "authors"
    clips_per_shard: int = 32
    bridge_frames: int = 5
    cuts: Cuts = "longest"
    limits: Limits = field(default_factory=Limits)

    def as_json(self) -> dict[str, Any]:
        """The options as they are written into JSON files; limits that are not set are left out."""
        return self.of_a_sample() | {"limits": self.limits.as_json()}

    def of_a_sample(self) -> dict[str, Any]:
        """The options without the limits, which choose samples and do not shape them."""
        told = {name: value for name, value in asdict(self).items() if name != "limits"}
        if not self.speech_encoder:
            del told["speech_encoder"]
        return told


def flat_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options from a JSON file, the limits among the others."""
    return {name: value for name, value in options.items() if name != "limits"} | options.get(
        "limits", {}
    )
