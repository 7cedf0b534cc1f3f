"""Scene cuts in a stream of frames: a large difference that the frames around it do not show.

Every frame is shrunk to 48 x 48 pixels; the step between two frames is the root mean square
difference of these pictures at the best shift of up to 4 pixels, in grey levels of 255, so that a
panning camera or a crop that follows a face costs little. A cut is a step far above all others
within 8 frames, or above what ever happens within a shot. It must also remain after the brightness
is matched and between frames up to three apart on both sides of it, so that a switched lamp or a
flash of one or two frames is no cut. A cut by way of one frame that blends both shots counts.
Frames that repeat the picture before are passed over, so that film of a few pictures a second, each
of them held, is judged like any other.

On real clips, beside PySceneDetect: `benchmarks/studies/cuts.py`; benchmarks/speed/RESULTS.md,
Scene cuts.
"""

from collections import deque
from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

_SIDE = 48  # pixels of a thumbnail
_SHIFT = 4  # pixels of it that a camera or a crop may move from frame to frame
_SPAN = 3  # frames apart that are compared; a flash of fewer is no cut
_AROUND = 8  # frames on either side whose steps a cut must exceed
_NOISE = 4.0  # grey levels, as key frames of hard compression and grain make them
_REPEATED = 0.25  # grey levels; below, it is the picture before, encoded once more
_STILL = 2.0  # grey levels; below, shifts need not be searched: half of what noise is granted
_FEW = 4  # different pictures; with fewer, too little is known of how a shot moves
_SHARP = 1.75  # times the largest step around it that a cut is
_BLENDED = 2.4  # the same for a cut by way of a blended frame, two steps in one
_FAR = 50.0  # grey levels that no step within a shot reaches
_GAIN = 2.0  # the most by which brightness is matched


class CutDetector:
    """Finds where new shots begin in the frames that pass through `watch`."""

    def __init__(self) -> None:
        self._recent: deque[NDArray[np.uint8]] = deque(maxlen=_SPAN)
        self._steps: list[float] = []  # from the frame before to frame k
        self._spans: list[list[float]] = []  # from 1, 2, 3 frames before, brightness matched
        self._first: list[int] = []  # the frame in which each different picture came first
        self._alert = 0  # frames for which spans are still to be measured

    def watch(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
        """Yields (H, W, 3) uint8 RGB frames as they came; the same object again costs nothing."""
        previous = None
        for index, frame in enumerate(frames):
            if frame is not previous:
                # (48, 48, 3), each pixel the mean of nine samples spread over its part.
                samples = cv2.resize(frame, (3 * _SIDE, 3 * _SIDE), interpolation=cv2.INTER_LINEAR)
                thumbnail = cv2.resize(samples, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
                self._measure(index, np.asarray(thumbnail))
            previous = frame
            yield frame

    @property
    def cuts(self) -> list[int]:
        """Each k, in order, such that frame k is the first of a new shot.

        A cut from black counts, and so does whatever one or two frames at the very beginning or
        end differ by. A fade or a dissolve over four frames or more does not, nor does a shot of
        fewer than three frames.
        """
        found = _cuts(np.array(self._steps), np.array(self._spans).reshape(-1, _SPAN))
        return [self._first[k] for k in found]

    def _measure(self, index: int, thumbnail: NDArray[np.uint8]) -> None:
        """Measures the step to the next picture, and the spans if it may be part of a cut."""
        around = self._steps[-_AROUND - 1 : -1]  # less the last, which may be half of a cut
        step = 0.0
        if self._recent:  # as the thumbnails lie, an upper bound of the step
            squares = cv2.norm(self._recent[-1], thumbnail, cv2.NORM_L2SQR)
            step = float(np.sqrt(squares / thumbnail.size))
        if step > _STILL:
            step = _step(self._recent[-1], thumbnail)
        if self._recent and step < _REPEATED:
            return
        # Half of what a blended cut needs, which is the least of all, and a little less.
        if step > min(_FAR, 0.4 * _BLENDED * (_NOISE + max(around, default=0.0))):
            self._alert = _SPAN
        spans = [0.0] * _SPAN
        if self._alert:
            self._alert -= 1
            spans = [_step(*_matched(past, thumbnail)) for past in reversed(self._recent)]
            spans += [np.inf] * (_SPAN - len(spans))
        self._first.append(index)
        self._steps.append(step)
        self._spans.append(spans)
        self._recent.append(thumbnail)


def _step(a: NDArray[np.generic], b: NDArray[np.generic]) -> float:
    """Root mean square difference of two thumbnails at the best shift."""
    middle = b[_SHIFT:-_SHIFT, _SHIFT:-_SHIFT]
    squares = cv2.matchTemplate(a, middle, cv2.TM_SQDIFF).min()
    return float(np.sqrt(max(squares, 0.0) / middle.size))


def _matched(
    a: NDArray[np.uint8], b: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Two thumbnails brought to the same brightness, the geometric mean of theirs."""
    ratio = np.clip((b.mean() + 1) / (a.mean() + 1), 1 / _GAIN, _GAIN)
    gain = np.float32(np.sqrt(ratio))
    return (a * gain).astype(np.float32), (b / gain).astype(np.float32)


def _cuts(steps: NDArray[np.float64], spans: NDArray[np.float64]) -> list[int]:
    """The cuts, from the steps (T,) and the spans (T, 3)."""
    if len(steps) < 2:
        return []
    across = np.minimum(steps, _across(spans, 0))
    sharp = across > _FAR
    if len(steps) < _FEW:
        return [int(k) for k in np.flatnonzero(sharp)]
    sharp |= across > _SHARP * (_NOISE + _around(steps, 0))
    blended = _across(spans, 1) > _BLENDED * (_NOISE + _around(steps, 1))
    # A sharp cut at k leaves its mark as a blend at k and at k - 1, too.
    blended &= ~sharp & ~np.append(sharp[1:], False)
    found = set(np.flatnonzero(sharp).tolist())
    frames = np.flatnonzero(blended)
    for run in np.split(frames, np.flatnonzero(np.diff(frames) > 1) + 1):
        if len(run):
            found.add(int(run[0] + steps[run[0] : run[-1] + 2].argmax()))
    return sorted(found)


def _across(spans: NDArray[np.float64], blends: int) -> NDArray[np.float64]:
    """(T,) the least span from a frame before k to one from k + `blends` on."""
    ahead = np.pad(spans, ((0, _SPAN), (0, 0)), constant_values=np.inf)
    least = np.full(len(spans), np.inf)
    for span in range(1 + blends, _SPAN + 1):
        for k in range(blends, span):
            least = np.minimum(least, ahead[k : k + len(spans), span - 1])
    least[0] = 0  # nothing lies before
    return np.where(np.isfinite(least), least, 0)


def _around(steps: NDArray[np.float64], blends: int) -> NDArray[np.float64]:
    """(T,) the largest step within 8 frames before k and after k + `blends`."""
    padded = np.pad(steps, (_AROUND, _AROUND + blends))
    largest = sliding_window_view(padded, _AROUND).max(1)
    return np.maximum(largest[: len(steps)], largest[_AROUND + 1 + blends :])
