"""CSIM: whether the face is still the same person's, as the cosine of identity embeddings.

The field uses ArcFace, whose weights no package carries under a free licence; here it is dlib's
face recognition network (CC0), so that the number is named `csim_dlib` and compares with others of
that name only. It needs the optional extra `csim` (the package dlib-bin).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.metric import Metric
from pipeline.faces.networks.embedding import WEIGHTS, FaceEmbedder
from pipeline.media import FPS

STEP = 5  # frames between two that are embedded
__all__ = ["CSIM", "STEP", "WEIGHTS", "FaceEmbedder", "cosines", "embed", "per_second"]

CSIM = Metric(
    "csim",
    "CSIM",
    "higher",
    "cosine of dlib's 128-d face embeddings of the fake, every 5th frame, and of the real clip's "
    "first frame with a face, crops by MediaPipe's landmarks; mean over frames, then clips. Not "
    "ArcFace's: compare with the same network only",
    variant="dlib",
    needs="the package dlib-bin (extra csim) and a face in both videos",
)


def embed(
    embedder: FaceEmbedder, frames: Sequence[NDArray[np.uint8]], landmarks: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Embeddings of every fifth frame with a face, from the first one on: (N, 128)."""
    found = [embedder(frames[k], landmarks[k]) for k in embedded_frames(landmarks)]
    return np.stack(found) if found else np.empty((0, 128))


def embedded_frames(landmarks: NDArray[np.floating]) -> list[int]:
    """Which frames `embed` takes: (T, 68, 2) landmarks, NaN without a face."""
    with_face = np.flatnonzero(~np.isnan(landmarks).any((1, 2))).tolist()
    return [k for k in with_face if (k - with_face[0]) % STEP == 0]


def cosines(real: NDArray[np.floating], fake: NDArray[np.floating]) -> NDArray[np.float64]:
    """Cosines of the fake's embeddings with the first of the real clip, whose mean is CSIM.

    Args:
        real: (N, D).
        fake: (M, D).

    Returns:
        (M,), -1 to 1.

    Raises:
        ValueError: one of them holds no face.
    """
    if not (len(real) and len(fake)):
        raise ValueError("no frame with a face")
    identity = np.asarray(real[0], np.float64)
    other = np.asarray(fake, np.float64)
    lengths = np.linalg.norm(other, axis=1) * np.linalg.norm(identity)
    return np.asarray(other @ identity / lengths)


def per_second(values: NDArray[np.float64], frames: Sequence[int]) -> list[float]:
    """Means over seconds of a value of some frames; up to the first second that has none.

    `values`: (M,) of the frames with these numbers, counted from 0.
    """
    second = np.asarray(frames) // FPS
    sums, counts = np.bincount(second, values), np.bincount(second)
    known = int(np.argmin(np.append(counts, 0)))
    return [float(value) for value in sums[:known] / counts[:known]]
