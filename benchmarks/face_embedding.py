"""Whether the same person is seen: a face's embedding where a network for it is at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.metrics.csim import WEIGHTS, FaceEmbedder
from pipeline.errors import UserError
from pipeline.landmarks import MediaPipeTracker
from pipeline.weights import locate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


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
