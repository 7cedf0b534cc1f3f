"""The paper's landmarks: S3FD and 2DFAN-4 of face-alignment, batched over frames.

Networks, crops and decoding of heat maps are those of face-alignment 1.5.0 (BSD-3-Clause,
https://github.com/1adrianb/face-alignment; Bulat and Tzimiropoulos, "How far are we from solving
the 2D & 3D Face Alignment problem?", ICCV 2017). Differences: faces are searched for in every tenth
frame and followed between, FAN runs on several frames at once, and points keep the fraction of a
pixel that the package cuts off.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from face_alignment.models import FAN
from face_alignment.utils import CENTER_Y_OFFSET, REFERENCE_SCALE, SCALE_FACTOR, crop
from numpy.typing import NDArray

from pipeline.faces.geometry import area, overlap
from pipeline.faces.networks.s3fd import Precision, S3FDDetector, autocast, load_weights
from pipeline.faces.tracking import NO_FACE, FrameLandmarks, Tracker

_STEADY = 0.7  # overlap of two boxes between which a face moves in a straight line
_MAX_WAITING = 64  # frames that wait for a batch to be full
_SAME_FACE = 0.3  # overlap of two boxes that are one face


class FanTracker(Tracker):
    """S3FD in every `detect_every`-th frame, FAN in all; the largest face is followed.

    FAN runs on `batch` frames at once, by default 4 on a CPU and 32 elsewhere. A `UserError` if a
    file does not hold its network's weights.
    """

    name = "face-alignment 2DFAN4-11f355bf06 s3fd-619a316812"

    def __init__(
        self,
        detector: Path | str,
        landmarks: Path | str,
        *,
        device: str = "cpu",
        detect_every: int = 10,
        batch: int | None = None,
        precision: Precision = "float32",
    ) -> None:
        self._device = torch.device(device)
        self._detector = S3FDDetector(detector, device, precision)
        self._net = load_weights(FAN(4), landmarks, device)
        self._every = detect_every
        self._batch = batch or (4 if self._device.type == "cpu" else 32)
        self._precision: Precision = precision

    def locate(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[FrameLandmarks]:
        """See `Tracker.locate`; `detect_every` frames and those of a batch are held at a time."""
        repeats: deque[int] = deque()
        waiting: list[FollowedBox] = []
        for followed in follow(_distinct(frames, repeats), self._detector.detect, self._every):
            waiting.append(followed)
            faces = sum(one.box is not None for one in waiting)
            if faces in (0, self._batch) or len(waiting) == _MAX_WAITING:
                yield from self._batch_landmarks(waiting, repeats)
                waiting = []
        yield from self._batch_landmarks(waiting, repeats)

    def _batch_landmarks(
        self, batch: list[FollowedBox], repeats: deque[int]
    ) -> Iterator[FrameLandmarks]:
        """The landmarks of frames whose face was followed, each as often as it is shown."""
        inputs = [crop_input(one.frame, one.box) for one in batch if one.box is not None]
        points = iter(self.points(inputs) if inputs else ())
        for one in batch:
            found = NO_FACE if one.box is None else next(points)
            yield from itertools.repeat(
                FrameLandmarks(one.frame, found, one.faces), repeats.popleft()
            )

    @torch.inference_mode()
    def points(self, inputs: Sequence[FanInput]) -> NDArray[np.float32]:
        """The landmarks in N inputs: (N, 68, 2) in pixels of their frames.

        Pixels have their centres at whole numbers. The package's points are these plus a half,
        truncated to whole numbers.
        """
        pixels = torch.from_numpy(np.stack([one.pixels for one in inputs])).to(self._device)
        pixels = pixels.permute(0, 3, 1, 2).float() / 255  # (N, 3, 256, 256)
        with autocast(self._device, self._precision):
            heat = self._net(pixels)[-1].float()  # (N, 68, 64, 64)
        shares = heat_points(heat).cpu().double().numpy()
        corners = np.stack([one.corner for one in inputs])[:, None]
        sides = np.array([one.side for one in inputs])[:, None, None]
        return cast("NDArray[np.float32]", (corners + shares * sides - 0.5).astype(np.float32))


@dataclass(frozen=True)
class FanInput:
    """The square around a face that FAN runs on."""

    pixels: NDArray[np.uint8]  # (256, 256, 3) uint8 RGB
    corner: NDArray[np.float64]  # (2,) x and y of its upper left corner, in pixels of the frame
    side: float  # its side in pixels of the frame


def crop_input(frame: NDArray[np.uint8], box: NDArray[np.float64]) -> FanInput:
    """The square that face-alignment cuts out for a detector's box x0 y0 x1 y1."""
    width, height = box[2] - box[0], box[3] - box[1]
    centre = np.array([box[2] - width / 2, box[3] - height / 2 - height * CENTER_Y_OFFSET])
    scale = (width + height) / REFERENCE_SCALE
    side = SCALE_FACTOR * scale
    return FanInput(crop(frame, centre, scale), centre - side / 2, side)


def heat_points(heat: torch.Tensor) -> torch.Tensor:
    """The peaks of (N, C, H, W) heat maps, (N, C, 2) x and y as shares of width and height.

    The centre of the highest pixel, moved a quarter of a pixel towards its higher neighbour in x
    and in y, but not from the map's rim, where a neighbour is missing.
    """
    height, width = heat.shape[-2:]
    flat = heat.flatten(2)
    peak = flat.argmax(2)
    x, y = peak % width, peak // width
    inner = (x > 0) & (x < width - 1) & (y > 0) & (y < height - 1)

    def slope(step: int) -> torch.Tensor:
        after = flat.gather(2, (peak + step).clamp(max=flat.shape[2] - 1)[..., None])
        before = flat.gather(2, (peak - step).clamp(min=0)[..., None])
        return torch.sign(after - before)[..., 0] * inner

    size = torch.tensor([width, height], device=heat.device)
    moved = torch.stack([x + slope(1) / 4, y + slope(width) / 4], -1)
    return (moved + 0.5) / size


@dataclass(frozen=True)
class FollowedBox:
    """A frame and the box of the followed face."""

    frame: NDArray[np.uint8]  # (H, W, 3) uint8 RGB
    box: NDArray[np.float64] | None  # x0 y0 x1 y1 in pixels; None without a face
    faces: int = 0  # how many were found; 0 in frames that were not searched


def follow(
    frames: Iterable[NDArray[np.uint8]],
    detect: Callable[[NDArray[np.uint8]], NDArray[np.float64]],
    every: int,
) -> Iterator[FollowedBox]:
    """Finds the largest face and follows it, searching every `every`-th frame and the last.

    Between two searches that find it in nearly the same place its box moves in a straight line;
    otherwise the frame in the middle is searched as well, and so on. Between two searches that
    agree a face is assumed to be present, or absent: shorter absences go unnoticed.

    Yields every frame in order; `every` + 1 of them are held at a time. `detect` finds the faces in
    a frame, (N, 5) x0 y0 x1 y1 score.
    """
    stream = iter(frames)
    searched = [_search(frame, detect, None) for frame in itertools.islice(stream, 1)]
    while searched and (segment := list(itertools.islice(stream, every))):
        last = _search(segment[-1], detect, searched[0].box)
        yield from _between(searched[0], segment[:-1], last, detect)
        searched = [last]
    yield from searched


def _between(
    first: FollowedBox,
    inner: list[NDArray[np.uint8]],
    last: FollowedBox,
    detect: Callable[[NDArray[np.uint8]], NDArray[np.float64]],
) -> list[FollowedBox]:
    """The boxes of the first frame and those up to the last, which is left out."""
    if not inner:
        return [first]
    start, end = first.box, last.box
    if start is None and end is None:
        return [first, *(FollowedBox(frame, None) for frame in inner)]
    if start is not None and end is not None and overlap(start[None], end)[0] >= _STEADY:
        boxes = np.linspace(start, end, len(inner) + 2)[1:-1]
        return [first, *map(FollowedBox, inner, boxes)]
    middle = len(inner) // 2
    found = _search(inner[middle], detect, end if start is None else start)
    before = _between(first, inner[:middle], found, detect)
    return before + _between(found, inner[middle + 1 :], last, detect)


def _search(
    frame: NDArray[np.uint8],
    detect: Callable[[NDArray[np.uint8]], NDArray[np.float64]],
    near: NDArray[np.float64] | None,
) -> FollowedBox:
    """Searches a frame; takes the face that was followed so far, else the largest."""
    boxes = detect(frame)[:, :4]
    if not len(boxes):
        return FollowedBox(frame, None)
    if near is not None:
        overlaps = overlap(boxes, near)
        if overlaps.max() > _SAME_FACE:
            return FollowedBox(frame, boxes[overlaps.argmax()], len(boxes))
    return FollowedBox(frame, boxes[area(boxes).argmax()], len(boxes))


def _distinct(
    frames: Iterable[NDArray[np.uint8]], repeats: deque[int]
) -> Iterator[NDArray[np.uint8]]:
    """Frames without repetitions; `repeats` counts how often each is shown."""
    for _, same in itertools.groupby(frames, key=id):
        frame, *again = same
        repeats.append(1 + len(again))
        yield frame
