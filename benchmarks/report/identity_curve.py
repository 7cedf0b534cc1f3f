"""Whether the same person is seen: a face's embedding where a network for it is at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.metrics.csim import WEIGHTS, FaceEmbedder
from model.sampling.inputs import read_face
from pipeline.errors import UserError
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.weights import locate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_SIDE = 128  # of training crops, which the identity frames of smaller models are averages of


def aligned_face(path: Path, weights_dir: Path | None) -> NDArray[np.uint8]:
    """(128, 128, 3) uint8 RGB: the face of a picture or video, as dh-sample shows it to the model.

    Raises:
        UserError: unreadable, or no face in it.
    """
    tracker = MediaPipeTracker(locate("face_landmarker.task", weights_dir))
    return read_face(path, tracker, _SIDE).crop


def face_embedding(
    weights_dir: Path | None,
) -> Callable[[NDArray[np.uint8]], NDArray[np.floating] | None] | str:
    """A function from (S, S, 3) uint8 RGB frames to embeddings, or why there is none.

    The network is that of the metric CSIM.

    Args:
        weights_dir: the user's folder of pretrained files.
    """
    try:
        embedder = FaceEmbedder(locate(WEIGHTS, weights_dir))
        tracker = MediaPipeTracker(locate("face_landmarker.task", weights_dir))
    except UserError as error:
        return str(error)

    def embed(frame: NDArray[np.uint8]) -> NDArray[np.floating] | None:
        track = tracker.track([frame])
        return embedder(frame, track.points[0]) if track.found[0] else None

    return embed
