"""68 landmarks of the one face of a clip: search for it, then follow it from frame to frame."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pipeline.blazeface import FaceDetector
from pipeline.facemesh import Box, FaceMesh, box_of_detection, box_of_mesh

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

# The 68-point layout of iBUG 300-W, as points of the 478-point mesh.
JAW = (127, 234, 177, 215, 172, 136, 149, 148, 152, 377, 378, 365, 397, 435, 401, 454, 356)
BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
NOSE = (168, 6, 195, 4, 240, 97, 2, 326, 305)
EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
MOUTH = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)
MESH_TO_68 = (*JAW, *BROWS, *NOSE, *EYES, *MOUTH)

_PRESENT = 0.5
_SMALLEST = 12.0  # pixels; below this a "face" is texture
_FULL_SEARCH_EVERY = 5  # frames without a face between two searches over all tiles


@dataclass(frozen=True)
class Track:
    """The landmarks of a clip.

    Attributes:
        points: (T, 68, 2) float32 in pixels of the frame, x and y; NaN where no face was found.
        faces: the number of faces seen in the frame where the face was first found.
    """

    points: NDArray[np.float32]
    faces: int

    @property
    def found(self) -> NDArray[np.bool_]:
        """(T,) True where a face was found."""
        return ~np.isnan(self.points[:, 0, 0])


class Tracker(Protocol):
    """What a landmark backend is: frames in, a track out."""

    name: str

    def track(self, frames: Iterable[NDArray[np.uint8]]) -> Track:
        """Follows the largest face through (H, W, 3) uint8 RGB frames."""
        ...


class MediaPipeTracker:
    """MediaPipe's networks on LiteRT: search, then follow; search again when the face is lost.

    Args:
        task: path of `face_landmarker.task`, see `pipeline.weights`.
    """

    name = "mediapipe face_landmarker float16/1"

    def __init__(self, task: Path | str) -> None:
        with zipfile.ZipFile(task) as archive:
            self._detector = FaceDetector(archive.read("face_detector.tflite"))
            self._mesh = FaceMesh(archive.read("face_landmarks_detector.tflite"))

    def track(self, frames: Iterable[NDArray[np.uint8]]) -> Track:
        """Follows the largest face through (H, W, 3) uint8 RGB frames."""
        rows: list[NDArray[np.float32]] = []
        box: Box | None = None
        faces = lost = 0
        for frame in frames:
            mesh, presence = self._mesh(frame, box) if box else (None, 0.0)
            if mesh is None or presence < _PRESENT or _has_left(box_of_mesh(mesh), frame):
                mesh, count = self._find(frame, tiles=lost % _FULL_SEARCH_EVERY == 0)
                lost = 0 if mesh is not None else lost + 1
                faces = faces or count
            box = box_of_mesh(mesh) if mesh is not None else None
            rows.append(to_68(mesh) if mesh is not None else np.full((68, 2), np.nan, np.float32))
        points = np.stack(rows) if rows else np.empty((0, 68, 2), np.float32)
        return Track(points, faces)

    def _find(
        self, frame: NDArray[np.uint8], *, tiles: bool
    ) -> tuple[NDArray[np.float32] | None, int]:
        """The mesh of the largest detection that the mesh network confirms, and their number."""
        detections = self._detector.search(frame, tiles=tiles)
        for face in detections:
            mesh, presence = self._mesh(frame, box_of_detection(face))
            if presence < _PRESENT:
                continue
            # A second pass in the box of the first settles the points.
            mesh, presence = self._mesh(frame, box_of_mesh(mesh))
            if presence >= _PRESENT:
                return mesh, len(detections)
        return None, 0


def to_68(mesh: NDArray[np.float32]) -> NDArray[np.float32]:
    """The 68-point layout from (478, 2) mesh points."""
    return mesh[list(MESH_TO_68)]


def _has_left(box: Box, frame: NDArray[np.uint8]) -> bool:
    """Whether the face's centre is out of the frame, or the face too small to be one."""
    height, width = frame.shape[:2]
    return not (0 <= box.x < width and 0 <= box.y < height and box.side > _SMALLEST)


def longest_run(track: Track, *, bridge: int) -> tuple[slice, NDArray[np.float32], int]:
    """The longest stretch of frames with a face; gaps of up to `bridge` frames are interpolated.

    Returns:
        The stretch as a slice of frames, its (T, 68, 2) points without NaN, and how many of its
        frames are interpolated. The slice is empty when no frame has a face.
    """
    seen = np.flatnonzero(track.found)
    if not len(seen):
        return slice(0, 0), np.empty((0, 68, 2), np.float32), 0
    breaks = np.flatnonzero(np.diff(seen) > bridge + 1) + 1
    run = max(np.split(seen, breaks), key=lambda part: part[-1] - part[0])
    span = np.arange(run[0], run[-1] + 1)
    flat = track.points[run].reshape(len(run), -1)
    filled = np.stack([np.interp(span, run, column) for column in flat.T], axis=1)
    points = filled.reshape(-1, 68, 2).astype(np.float32)
    return slice(int(run[0]), int(run[-1]) + 1), points, len(span) - len(run)
