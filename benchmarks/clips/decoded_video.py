"""A video that is decoded once, when first used, and kept while its clip is measured."""

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.files import sha256_file
from pipeline.media import probe, read_audio, read_frames
from pipeline.media.image import resize


@dataclass(frozen=True)
class DecodedVideo:
    """The real or the generated video of a clip."""

    name: str  # for messages
    digest: str  # SHA-256 of what it is read from
    max_frames: int  # the most frames that are looked at; 0 for all
    open_frames: Callable[[], Iterable[NDArray[np.uint8]]]  # decodes its frames at 25 fps
    # Decodes its sound, mono 16 kHz int16; None where it has none.
    open_samples: Callable[[], NDArray[np.int16] | None]
    # The video that this one is the beginning of; None where it is not cut.
    whole: "DecodedVideo | None" = None
    _resized: dict[tuple[int, int], list[NDArray[np.uint8]]] = field(
        default_factory=dict, repr=False
    )

    @cached_property
    def frames(self) -> list[NDArray[np.uint8]]:
        """(H, W, 3) uint8 RGB at 25 fps, `max_frames` at most."""
        return list(itertools.islice(self.open_frames(), self.max_frames or None))

    def at(self, size: tuple[int, int]) -> list[NDArray[np.uint8]]:
        """The frames at (width, height)."""
        if size not in self._resized:
            self._resized[size] = [resize(frame, size) for frame in self.frames]
        return self._resized[size]

    def first(self, count: int) -> "DecodedVideo":
        """The same video, cut to its first `count` frames; it is decoded once for both."""
        return replace(
            self,
            max_frames=count,
            open_frames=lambda: self.frames,
            open_samples=lambda: self.samples,
            whole=self,
            _resized={},
        )

    @cached_property
    def samples(self) -> NDArray[np.int16] | None:
        """(N,) int16, mono 16 kHz, of the whole clip; None without sound."""
        return self.open_samples()


def open_video(path: Path, max_frames: int) -> "DecodedVideo":
    """A video file; nothing but its bytes is read yet."""

    def samples() -> NDArray[np.int16] | None:
        info = probe(path)
        return read_audio(path, origin=info.start).samples if info.audio_rate else None

    digest = sha256_file(path)
    return DecodedVideo(str(path), digest, max_frames, partial(read_frames, path), samples)
