"""A clip on its way through the stages."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

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
    """A clip on its way; each stage fills in what it finds."""

    row: ManifestRow
    options: PrepOptions
    info: VideoInfo | None = None
    frames: Frames | None = None  # of the video, decoded anew each time
    views: FaceViews | None = None  # what the crops need of them
    notes: tuple[Note, ...] = ()
    # (N,) mono 16 kHz from the first frame on
    audio: NDArray[np.int16] = field(default_factory=lambda: np.empty(0, np.int16))
    backend: str = ""  # what found the landmarks
    length: int = 0  # frames of the whole clip
    shot: int = 0  # 0 for a whole clip, else which of its shots this is, from 1
    stretch: Stretch | None = None  # the frames that make the sample, and the landmarks in them
    # (T, 2, 3) their alignment
    matrices: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2, 3)))
    crops: PackedFrames | None = None  # the aligned frames
    jpeg_quality: int = 0
    psnr: float = 0.0  # of the packed frames against the crops, dB
    # (T, F), (T, 68, 2) in pixels of the crop, (T, 4)
    speech: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    landmarks: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 68, 2), np.float32))
    mouth: NDArray[np.int16] = field(default_factory=lambda: np.empty((0, 4), np.int16))
    measures: dict[str, float] = field(default_factory=dict)  # see `pipeline.dataset.columns`


Stage = Callable[[Clip], Clip | list[Clip] | Skip]
