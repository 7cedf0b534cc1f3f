"""The options of dh-prep run: everything that shapes a sample, written into the data set."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pipeline.alignment import Smoothing


@dataclass(frozen=True)
class PrepOptions:
    """What shapes a sample; two data sets made with equal options from equal clips are equal.

    Attributes:
        image_size: side S of the crops in pixels.
        landmarks: landmark backend.
        speech: speech features.
        smoothing: of the alignment over time, see `pipeline.alignment.smooth`.
        clips_per_shard: clips that share a tar.
        min_seconds: a clip whose face is in view for less is dropped.
        bridge_frames: gaps in the landmarks of up to this many frames are interpolated.
    """

    image_size: int = 128
    landmarks: Literal["mediapipe"] = "mediapipe"
    speech: Literal["mfcc"] = "mfcc"
    smoothing: Smoothing = "authors"
    clips_per_shard: int = 32
    min_seconds: float = 0.4
    bridge_frames: int = 5

    def as_json(self) -> dict[str, Any]:
        """The options as they are written into JSON files."""
        return asdict(self)
