"""A clip on its way through the stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pipeline.dataset.prep_options import PrepOptions
    from pipeline.dataset.sample import PackedFrames
    from pipeline.faces.crop_views import FaceViews
    from pipeline.faces.tracking import Stretch
    from pipeline.media import Frames, VideoInfo
    from pipeline.media.notes import Note
    from pipeline.sources.manifest import ManifestRow


MEASURE_EVERY = 5  # frames between two of which pose and sharpness are measured


@dataclass(frozen=True)
class Skip:
    """A clip dropped by a rule, with the reason a person would give."""

    reason: str


@dataclass(frozen=True)
class Clip:
    """A clip on its way; each stage fills in what it finds.

    Attributes:
        row: the manifest's row.
        options: of the run.
        info: what the container says.
        frames: of the video, decoded anew each time.
        views: what the crops need of them.
        notes: what was done to the file to make it usable, see `pipeline.media.notes`.
        audio: (N,) int16 mono 16 kHz from the first frame on.
        backend: what found the landmarks.
        length: frames of the whole clip.
        shot: 0 for a whole clip, else which of its shots this is, from 1.
        stretch: the frames that make the sample, and the landmarks in them.
        matrices: (T, 2, 3) alignment of these frames.
        crops: the aligned frames, packed.
        jpeg_quality: of the packed frames.
        psnr: of the packed frames against the crops, dB.
        speech: (T, F) float32.
        landmarks: (T, 68, 2) in pixels of the crop.
        mouth: (T, 4) int16.
        measures: numbers that a curator filters by, see `pipeline.dataset.columns`.
    """

    row: ManifestRow
    options: PrepOptions
    info: VideoInfo | None = None
    frames: Frames | None = None
    views: FaceViews | None = None
    notes: tuple[Note, ...] = ()
    audio: NDArray[np.int16] = field(default_factory=lambda: np.empty(0, np.int16))
    backend: str = ""
    length: int = 0
    shot: int = 0
    stretch: Stretch | None = None
    matrices: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2, 3)))
    crops: PackedFrames | None = None
    jpeg_quality: int = 0
    psnr: float = 0.0
    speech: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    landmarks: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 68, 2), np.float32))
    mouth: NDArray[np.int16] = field(default_factory=lambda: np.empty((0, 4), np.int16))
    measures: dict[str, float] = field(default_factory=dict)


Stage = Callable[[Clip], Clip | list[Clip] | Skip]
