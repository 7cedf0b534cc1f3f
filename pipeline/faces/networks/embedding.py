"""Embedding of a face by the network of dlib, which may be used freely.

The field uses ArcFace, whose weights no package carries under a free licence; dlib's network is
CC0. It needs the optional extra `csim` (the package dlib-bin).
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import UserError

WEIGHTS = "dlib_face_recognition_resnet_model_v1.dat"


def import_dlib() -> Any:
    """The package dlib; a `UserError` if it is not installed."""
    try:
        import dlib
    except ImportError as error:
        raise UserError("dlib is not installed: pip install dlib-bin") from error
    return dlib


class FaceEmbedder:
    """Embeds the face of a frame with dlib's network; a `UserError` if dlib is not installed."""

    def __init__(self, path: Path) -> None:
        self._dlib = import_dlib()
        self._network = self._dlib.face_recognition_model_v1(str(path))

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
