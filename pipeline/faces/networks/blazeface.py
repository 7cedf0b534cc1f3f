"""MediaPipe's short-range face detector on LiteRT, with a search that finds small faces too.

The network sees 128 x 128 pixels, so that a face of 60 pixels in a 1280 x 720 frame is six pixels
to it. `search` therefore tries the whole frame first and then smaller overlapping tiles.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.faces.geometry import area, warp
from pipeline.runtimes.litert import open_network

_INPUT = 128
_THRESHOLD = 0.5
_OVERLAP = 0.3  # two boxes that share more than this (intersection over union) are one face
# Tile sides as shares of the frame's shorter side; the whole frame comes before them.
_TILE_SHARES = (1.0, 0.6, 0.36)


@dataclass(frozen=True)
class Detection:
    """A face: its box and six key points in pixels of the frame, and the score in 0..1."""

    box: NDArray[np.float32]  # x0, y0, x1, y1
    # (6, 2): right eye, left eye, nose tip, mouth, right ear, left ear (the subject's right, left
    # in the picture)
    keypoints: NDArray[np.float32]
    score: float  # the network's confidence

    @property
    def area(self) -> float:
        """Of the box, in square pixels."""
        return float(area(self.box))


def _anchors() -> NDArray[np.float32]:
    """(896, 2) anchor centres in 0..1: 2 on each cell of 16 x 16, then 6 on each of 8 x 8."""
    grids = []
    for cells, repeats in ((16, 2), (8, 6)):
        centres = (np.arange(cells) + 0.5) / cells
        x, y = np.meshgrid(centres, centres)
        grids.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2), repeats, axis=0))
    return np.concatenate(grids).astype(np.float32)


class FaceDetector:
    """Finds faces in a frame, by a network in `face_landmarker.task`."""

    def __init__(self, task: Path | str) -> None:
        self._net = open_network(task, "face_detector.tflite")
        self._anchors = _anchors()

    def detect(self, frame: NDArray[np.uint8], tile: tuple[float, float, float]) -> list[Detection]:
        """Faces in a square tile (x, y, side, in pixels) of an (H, W, 3) uint8 RGB frame."""
        # The tile at 128 x 128, values in -1..1, through the network.
        x, y, side = tile
        scale = _INPUT / side
        matrix = np.array([[scale, 0, -x * scale], [0, scale, -y * scale]], np.float64)
        pixels = warp(frame, matrix, _INPUT).astype(np.float32)
        outputs = self._net(pixels / 127.5 - 1)
        # (896,) scores and, of the anchors above the threshold, (N, 8, 2) centre, size, key points.
        scores = 1 / (1 + np.exp(-np.clip(outputs[1, 896, 1][0, :, 0], -60, 60)))
        keep = scores > _THRESHOLD
        if not keep.any():
            return []
        raw = outputs[1, 896, 16][0][keep].reshape(-1, 8, 2) / _INPUT
        # From shares of the tile to pixels of the frame.
        anchors = self._anchors[keep]
        origin = np.array([x, y], np.float32)
        centre = (raw[:, 0] + anchors) * side + origin
        half = raw[:, 1] * side / 2
        points = (raw[:, 2:] + anchors[:, None]) * side + origin
        boxes = np.concatenate([centre - half, centre + half], axis=1)
        found = [
            Detection(*face) for face in zip(boxes, points, scores[keep].tolist(), strict=True)
        ]
        return suppress(found)

    def search(self, frame: NDArray[np.uint8], *, tiles: bool = True) -> list[Detection]:
        """Faces in a frame, largest first: the whole frame, then smaller tiles until one is found.

        Without `tiles` it tries the whole frame and its largest squares only, which is quick.
        """
        height, width = frame.shape[:2]
        for level in _tile_levels(height, width, len(_TILE_SHARES) if tiles else 1):
            found = suppress([face for tile in level for face in self.detect(frame, tile)])
            if found:
                return sorted(found, key=lambda face: face.area, reverse=True)
        return []


def suppress(faces: list[Detection]) -> list[Detection]:
    """Non-maximum suppression: of boxes that overlap, the one with the best score is kept."""
    boxes = [(*face.box[:2].tolist(), *(face.box[2:] - face.box[:2]).tolist()) for face in faces]
    kept = cv2.dnn.NMSBoxes(boxes, [face.score for face in faces], 0.0, _OVERLAP)
    return [faces[index] for index in kept]


def _tile_levels(
    height: int, width: int, levels: int
) -> Iterator[list[tuple[float, float, float]]]:
    """Tiles (x, y, side): first the whole frame, then squares of each share, half overlapping."""
    side = max(height, width)
    yield [((width - side) / 2, (height - side) / 2, side)]
    for share in _TILE_SHARES[:levels]:
        side = max(1, round(min(height, width) * share))
        yield [(x, y, side) for y in _steps(height, side) for x in _steps(width, side)]


def _steps(length: int, side: int) -> list[float]:
    """Where tiles of `side` begin that cover `length` and overlap by half or more."""
    count = max(1, int(np.ceil((length - side) / (side / 2))) + 1)
    return list(np.linspace(0, max(0, length - side), count))
