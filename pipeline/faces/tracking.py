"""68 landmarks of the one face of a clip: search for it, then follow it from frame to frame."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from pipeline.faces.blazeface import FaceDetector
from pipeline.faces.face_mesh import Box, FaceMesh, box_of_detection, box_of_mesh

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
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
_COUNT_EVERY = 25  # frames between two looks at how many faces are in view


@dataclass(frozen=True)
class Track:
    """The landmarks of a clip.

    Attributes:
        points: (T, 68, 2) float32 in pixels of the frame, x and y; NaN where no face was found.
        faces: the most faces seen in one of the frames that were searched for all of them.
    """

    points: NDArray[np.float32]
    faces: int

    @property
    def found(self) -> NDArray[np.bool_]:
        """(T,) True where a face was found."""
        return ~np.isnan(self.points[:, 0, 0])


@dataclass(frozen=True)
class Located:
    """A frame, and where the face is in it.

    Attributes:
        frame: (H, W, 3) uint8 RGB.
        points: (68, 2) float32 in its pixels; NaN where no face was found.
        faces: how many were seen; 0 where all of them were not looked for.
    """

    frame: NDArray[np.uint8]
    points: NDArray[np.float32]
    faces: int = 0


NOWHERE: NDArray[np.float32] = np.full((68, 2), np.nan, np.float32)


class Tracker(Protocol):
    """What a landmark backend is: frames in, landmarks out."""

    name: str

    def locate(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Located]:
        """Follows the largest face through (H, W, 3) uint8 RGB frames; yields them in order.

        A picture that is shown for several frames is the same object in each, and so are its
        points.
        """
        ...

    def track(self, frames: Iterable[NDArray[np.uint8]]) -> Track:
        """What `locate` finds, gathered into a track."""
        ...


def gather(located: Iterable[Located]) -> Track:
    """The track of a clip from its frames."""
    rows, faces = [], 0
    for one in located:
        rows.append(one.points)
        faces = max(faces, one.faces)
    return Track(np.stack(rows) if rows else np.empty((0, 68, 2), np.float32), faces)


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
        """The landmarks of a clip of (H, W, 3) uint8 RGB frames."""
        return gather(self.locate(frames))

    def locate(self, frames: Iterable[NDArray[np.uint8]]) -> Iterator[Located]:
        """Follows the largest face through (H, W, 3) uint8 RGB frames; yields them in order."""
        box: Box | None = None
        last: Located | None = None
        lost = 0
        for index, frame in enumerate(frames):
            if last and frame is last.frame and box:  # a source of few frames a second repeats them
                yield last
                continue
            faces = 0
            mesh, presence = self._mesh(frame, box) if box else (None, 0.0)
            box = box_of_mesh(mesh) if mesh is not None and presence >= _PRESENT else None
            if mesh is None or box is None or _has_left(box, frame):
                mesh, faces = self._find(frame, tiles=lost % _FULL_SEARCH_EVERY == 0)
                box = box_of_mesh(mesh) if mesh is not None else None
                lost = 0 if mesh is not None else lost + 1
            elif index % _COUNT_EVERY == 0:
                faces = len(self._detector.search(frame, tiles=False))
            last = Located(frame, to_68(mesh) if mesh is not None else NOWHERE, faces)
            yield last

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


@dataclass(frozen=True)
class Stretch:
    """Frames in which one face is in view without a break.

    Attributes:
        frames: which of the clip.
        points: (T, 68, 2) float32 without NaN, in pixels of the frame.
        interpolated: how many of them lie in gaps that were bridged.
    """

    frames: slice
    points: NDArray[np.float32]
    interpolated: int

    def __len__(self) -> int:
        return len(self.points)


def stretches(track: Track, *, bridge: int, cuts: Sequence[int] = ()) -> list[Stretch]:
    """The stretches of frames with a face, in order; gaps of up to `bridge` are interpolated.

    Args:
        track: of a clip.
        bridge: frames; a longer gap ends a stretch.
        cuts: first frames of new shots, ascending; each ends a stretch.
    """
    seen = np.flatnonzero(track.found)
    if not len(seen):
        return []
    shot = np.searchsorted(np.asarray(cuts), seen, side="right")
    breaks = np.flatnonzero((np.diff(seen) > bridge + 1) | (np.diff(shot) > 0)) + 1
    return [_filled(track, run) for run in np.split(seen, breaks)]


def _filled(track: Track, run: NDArray[np.intp]) -> Stretch:
    """A stretch from the frames in which its face was seen."""
    span = np.arange(run[0], run[-1] + 1)
    flat = track.points[run].reshape(len(run), -1)
    if len(span) > len(run):
        flat = np.stack([np.interp(span, run, column) for column in flat.T], axis=1)
    points = flat.reshape(-1, 68, 2).astype(np.float32)
    return Stretch(slice(int(run[0]), int(run[-1]) + 1), points, len(span) - len(run))
