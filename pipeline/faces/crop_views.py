"""The part of every frame around the face, kept until the crops can be made.

The crops need the smoothed landmarks of the whole clip. By then the frames are gone; decoding large
ones again costs more than all networks, and keeping whole frames takes too much memory. So a view
of each is kept: the face and its surroundings, no finer than the crops need it.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.alignment import transforms
from pipeline.faces.geometry import Part, resample, view_of

_SPARE = 0.15  # of the crop, on each side: how far smoothing may move it


class FaceViews:
    """Views of the frames of a clip, as the crops of `size` pixels need them.

    Gaps of up to `bridge` frames without a face are interpolated: there, what was around the face
    before is kept. If `max_bytes` do not suffice, nothing is kept.
    """

    def __init__(self, size: int, bridge: int, max_bytes: int = 512 << 20) -> None:
        self._size, self._bridge, self._left = size, bridge, max_bytes
        self._views: dict[int, Part] | None = {}
        self._count = self._missed = 0
        self._last: tuple[NDArray[np.uint8], NDArray[np.float32]] | None = None

    def add(self, frame: NDArray[np.uint8], points: NDArray[np.float32]) -> None:
        """Keeps the view of the next frame, with its (68, 2) landmarks; NaN without a face."""
        index, self._count = self._count, self._count + 1
        self._missed = self._missed + 1 if np.isnan(points[0, 0]) else 0
        before, at = self._last or (None, None)
        if self._views is None or (self._missed and (at is None or self._missed > self._bridge)):
            return
        at = at if self._missed and at is not None else points
        self._last = frame, at
        if frame is before and index - 1 in self._views:
            self._views[index] = self._views[index - 1]  # a picture that is shown twice
            return
        (matrix,) = transforms(at[None], self._size, "none")
        if (view := view_of(frame, matrix, self._size, _SPARE)) is not None:
            self._left -= view.pixels.nbytes
            self._views[index] = view
        if self._left < 0:  # there is no memory left
            self._views = None

    def suffice(self, kept: slice, matrices: NDArray[np.float64]) -> bool:
        """Whether the crops of these frames, by (T, 2, 3) matrices, can be made of the views."""
        if self._views is None:
            return False
        frames = zip(range(kept.start, kept.stop), matrices, strict=True)
        return all(k in self._views and self._views[k].suffices(m, self._size) for k, m in frames)

    def crops(self, kept: slice, matrices: NDArray[np.float64]) -> Iterator[NDArray[np.uint8]]:
        """Yields the (S, S, 3) crops, black where they leave their frame; see `suffice`."""
        assert self._views is not None
        for index, matrix in zip(range(kept.start, kept.stop), matrices, strict=True):
            yield resample(self._views[index], matrix, self._size)
