"""CSIM: whether the face is still the same person's, as the cosine of identity embeddings.

The field uses ArcFace, whose weights no package carries under a free licence; here it is dlib's
face recognition network (CC0), so that the number is named `csim_dlib` and compares with others of
that name only. It needs the optional extra `csim` (the package dlib-bin).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.metrics.metric import Metric
from pipeline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"
STEP = 5  # frames between two that are embedded
CSIM = Metric(
    "csim",
    "CSIM",
    "higher",
    "",
    "cosine of dlib's 128-d face embeddings of the fake, every 5th frame, and of the real clip's "
    "first frame with a face, crops by MediaPipe's landmarks; mean over frames, then clips. Not "
    "ArcFace's: compare with the same network only",
    "dlib",
)


class FaceEmbedder:
    """Embeds the face of a frame.

    Args:
        path: of dlib's network.

    Raises:
        UserError: dlib is not installed.
    """

    def __init__(self, path: Path) -> None:
        try:
            import dlib
        except ImportError as error:
            raise UserError("dlib is not installed: pip install dlib-bin") from error
        self._dlib: Any = dlib
        self._network = dlib.face_recognition_model_v1(str(path))

    def __call__(
        self, frame: NDArray[np.uint8], landmarks: NDArray[np.floating]
    ) -> NDArray[np.float64]:
        """(128,) of a face with (68, 2) landmarks in an (H, W, 3) uint8 RGB frame."""
        points = [self._dlib.point(round(float(x)), round(float(y))) for x, y in landmarks]
        (left, top), (right, bottom) = landmarks.min(0), landmarks.max(0)
        box = self._dlib.rectangle(*(round(float(v)) for v in (left, top, right, bottom)))
        shape = self._dlib.full_object_detection(box, points)
        found = self._network.compute_face_descriptor(np.ascontiguousarray(frame), shape)
        return np.asarray(found, np.float64)


def embed(
    embedder: FaceEmbedder,
    frames: Sequence[NDArray[np.uint8]],
    landmarks: NDArray[np.floating],
    step: int = STEP,
) -> NDArray[np.float64]:
    """Embeddings of every `step`-th frame with a face, from the first one on: (N, 128)."""
    seen = np.flatnonzero(~np.isnan(landmarks).any((1, 2)))
    chosen = [k for k in seen.tolist() if (k - int(seen[0])) % step == 0] if len(seen) else []
    found = [embedder(frames[k], landmarks[k]) for k in chosen]
    return np.stack(found) if found else np.empty((0, 128))


def csim(real: NDArray[np.floating], fake: NDArray[np.floating]) -> float:
    """Mean cosine of the fake's embeddings with the first of the real clip, −1 to 1.

    Args:
        real: (N, D).
        fake: (M, D).

    Raises:
        ValueError: one of them holds no face.
    """
    if not (len(real) and len(fake)):
        raise ValueError("no frame with a face")
    identity = np.asarray(real[0], np.float64)
    other = np.asarray(fake, np.float64)
    lengths = np.linalg.norm(other, axis=1) * np.linalg.norm(identity)
    return float((other @ identity / lengths).mean())
