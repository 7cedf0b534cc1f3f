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

    Gaps of up to `bridge` frames without a face are interpolated. If `max_bytes` do not suffice,
    nothing is kept.
    """

    def __init__(self, size: int, bridge: int, max_bytes: int = 512 << 20) -> None:
        self._size, self._bridge, self._left = size, bridge, max_bytes
        self._views: dict[int, Part] | None = {}
        self._count = 0
        self._last: tuple[NDArray[np.uint8], NDArray[np.float32]] | None = None
        self._gap: list[NDArray[np.uint8]] = []

    def add(self, frame: NDArray[np.uint8], points: NDArray[np.float32]) -> None:
        """Keeps the view of the next frame, with its (68, 2) landmarks; NaN without a face."""
        if self._views is None:
            return
        if np.isnan(points[0, 0]):
            if len(self._gap) <= self._bridge:  # longer gaps are not interpolated
                self._gap.append(frame)
            self._count += 1
            return
        # Frames of a short gap, with landmarks between those before and after it.
        gap, self._gap = self._gap, []
        if gap and self._last and len(gap) <= self._bridge:
            before = self._last[1]
            first = self._count - len(gap)
            for k, missed in enumerate(gap, start=1):
                share = k / (len(gap) + 1)
                self._keep(first + k - 1, missed, before + (points - before) * share)
        self._keep(self._count, frame, points)
        self._last = frame, points
        self._count += 1

    def _keep(self, index: int, frame: NDArray[np.uint8], points: NDArray[np.float32]) -> None:
        """Keeps one view; drops all of them when there is no memory left."""
        if self._views is None:
            return
        if self._last and frame is self._last[0] and index - 1 in self._views:
            self._views[index] = self._views[index - 1]  # a picture that is shown twice
            return
        (matrix,) = transforms(points[None], self._size, "none")
        view = view_of(frame, matrix, self._size, _SPARE)
        if view is None:
            return
        self._left -= view.pixels.nbytes
        if self._left < 0:
            self._views = None
        else:
            self._views[index] = view

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
