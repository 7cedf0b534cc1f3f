"""68 landmarks of a clip's face: search for it, then follow it from frame to frame."""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.networks.blazeface import FaceDetector
from pipeline.faces.networks.face_mesh import Box, FaceMesh, box_of_detection, box_of_mesh

# The 68-point layout of iBUG 300-W, as points of the 478-point mesh.
JAW = (127, 234, 177, 215, 172, 136, 149, 148, 152, 377, 378, 365, 397, 435, 401, 454, 356)
BROWS = (70, 63, 105, 66, 107, 336, 296, 334, 293, 300)
NOSE = (168, 6, 195, 4, 240, 97, 2, 326, 305)
EYES = (33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380)
MOUTH = (61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87)
MESH_TO_68 = [*JAW, *BROWS, *NOSE, *EYES, *MOUTH]

_MIN_PRESENCE = 0.5
_UPRIGHT = 0.8  # score of detections from which they are upright
_TURNED = 0.99  # presence of a face that is upside down
_MIN_SIDE = 12.0  # pixels of a face's box; smaller detections are texture
_FULL_SEARCH_EVERY = 5  # frames without a face between two searches over all tiles
_COUNT_EVERY = 25  # frames between two counts of the faces in view


@dataclass(frozen=True)
class Track:
    """The landmarks of a clip."""

    # (T, 68, 2) float32 in pixels of the frame, x and y; NaN where no face was found
    points: NDArray[np.float32]
    faces: int  # the most faces found in one frame, among those in which all were counted

    @property
    def found(self) -> NDArray[np.bool_]:
        """(T,) True where a face was found."""
        return ~np.isnan(self.points[:, 0, 0])


@dataclass(frozen=True)
class FrameLandmarks:
    """A frame and the landmarks of its face."""

    frame: NDArray[np.uint8]  # (H, W, 3) uint8 RGB
    points: NDArray[np.float32]  # (68, 2) float32 in its pixels; NaN where no face was found
    faces: int = 0  # how many were found; 0 in frames in which they were not counted


NO_FACE: NDArray[np.float32] = np.full((68, 2), np.nan, np.float32)


class Tracker(Protocol):
    """A landmark backend: frames in, landmarks out."""

    name: str

    def locate(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[FrameLandmarks]:
        """Follows the largest face through (H, W, 3) uint8 RGB frames; yields them in order.

        Where a frame is the same object as the one before it, so are its points.
        """
        ...

    def track(self, frames: Iterable[NDArray[np.uint8]]) -> Track:
        """The results of `locate` as one track."""
        return to_track(self.locate(frames))


def to_track(frames: Iterable[FrameLandmarks]) -> Track:
    """The track of a clip from its frames."""
    rows, faces = [], 0
    for one in frames:
        rows.append(one.points)
        faces = max(faces, one.faces)
    return Track(np.stack(rows) if rows else np.empty((0, 68, 2), np.float32), faces)


class MediaPipeTracker(Tracker):
    """MediaPipe's networks on LiteRT: search for the face, then follow it; search when it is lost.

    They are in `face_landmarker.task`, see `pipeline.weights`.
    """

    name = "mediapipe face_landmarker float16/1"

    def __init__(self, task: Path | str) -> None:
        self._detector, self._mesh = FaceDetector(task), FaceMesh(task)

    def locate(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[FrameLandmarks]:
        """Follows the largest face through (H, W, 3) uint8 RGB frames; yields them in order."""
        box: Box | None = None  # where the face of the last frame was
        last: FrameLandmarks | None = None
        frames_without = 0
        for index, frame in enumerate(frames):
            # A source of fewer than 25 frames a second repeats them.
            if last and frame is last.frame and box:
                yield last
                continue
            # Follow: the mesh in the box of the last frame, as long as it is a face.
            faces = 0
            mesh, presence = self._mesh(frame, box) if box else (None, 0.0)
            box = box_of_mesh(mesh) if mesh is not None and presence >= _MIN_PRESENCE else None
            height, width = frame.shape[:2]
            if not (box and 0 <= box.x < width and 0 <= box.y < height and box.side > _MIN_SIDE):
                # Search: over all tiles at first, then in every few frames.
                full = frames_without % _FULL_SEARCH_EVERY == 0
                mesh, faces = self._search(frame, tiles=full)
                box = box_of_mesh(mesh) if mesh is not None else None
                frames_without = 0 if mesh is not None else frames_without + 1
            elif index % _COUNT_EVERY == 0:
                faces = len(self._detector.search(frame, tiles=False))
            points = mesh[MESH_TO_68] if mesh is not None else NO_FACE
            last = FrameLandmarks(frame, points, faces)
            yield last

    def _search(
        self, frame: NDArray[np.uint8], *, tiles: bool
    ) -> tuple[NDArray[np.float32] | None, int]:
        """The mesh of the largest detection that the mesh network confirms, and their number."""
        detections = self._detector.search(frame, tiles=tiles)
        for face in detections:
            box = box_of_detection(face)
            mesh, presence = self._settled(frame, box)
            if face.score < _UPRIGHT:  # the detector sees a face upside down as one that is not
                turned = self._settled(frame, replace(box, roll=box.roll + math.pi))
                if turned[1] > max(presence, _TURNED):
                    mesh, presence = turned
            if presence >= _MIN_PRESENCE:
                return mesh, len(detections)
        return None, 0

    def _settled(self, frame: NDArray[np.uint8], box: Box) -> tuple[NDArray[np.float32], float]:
        """Mesh points in a box, settled by a second pass in the box of the first; and presence."""
        mesh, presence = self._mesh(frame, box)
        if presence < _MIN_PRESENCE:
            return mesh, 0.0
        return self._mesh(frame, box_of_mesh(mesh))


@dataclass(frozen=True)
class Stretch:
    """Consecutive frames with one face."""

    frames: slice  # which of the clip
    points: NDArray[np.float32]  # (T, 68, 2) float32 without NaN, in pixels of the frame
    interpolated: int  # how many of them had no landmarks of their own

    def __len__(self) -> int:
        return len(self.points)


def stretches(track: Track, *, bridge: int, cuts: Sequence[int] = ()) -> list[Stretch]:
    """The stretches of frames with a face, in order; gaps of up to `bridge` are interpolated.

    Longer gaps end a stretch, and so does each of `cuts`, the first frames of new shots.
    """
    found = np.flatnonzero(track.found)
    if not len(found):
        return []
    # Split where a gap is too long or another shot begins.
    shot = np.searchsorted(np.asarray(cuts), found, side="right")
    breaks = np.flatnonzero((np.diff(found) > bridge + 1) | (np.diff(shot) > 0)) + 1
    parts = []
    for frames in np.split(found, breaks):
        span = np.arange(frames[0], frames[-1] + 1)
        flat = track.points[frames].reshape(len(frames), -1)  # (N, 136)
        if len(span) > len(frames):
            flat = np.stack([np.interp(span, frames, column) for column in flat.T], axis=1)
        points = flat.reshape(-1, 68, 2).astype(np.float32)
        which = slice(int(span[0]), int(span[-1]) + 1)
        parts.append(Stretch(which, points, len(span) - len(frames)))
    return parts
