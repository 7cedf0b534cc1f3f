"""MediaPipe's 478-point face mesh on LiteRT, one face a call, in a box that follows the face."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.geometry import invert, transform, warp
from pipeline.faces.networks.blazeface import Detection
from pipeline.runtimes.litert import open_network

_INPUT = 256
_MARGIN = 1.5  # MediaPipe's enlargement of the face box, which the network was trained with
_RIGHT_EYE, _LEFT_EYE = 33, 263  # outer corners; the line between them gives the roll


@dataclass(frozen=True)
class Box:
    """A square around a face: centre (x, y), side, both in pixels, and roll in radians."""

    x: float
    y: float
    side: float
    roll: float

    def matrix(self) -> NDArray[np.float64]:
        """(2, 3): pixels of the frame to the upright 256 x 256 input."""
        scale = _INPUT / self.side
        cos, sin = np.cos(self.roll) * scale, np.sin(self.roll) * scale
        linear = np.array([[cos, sin], [-sin, cos]])
        centre = np.array([self.x, self.y])
        return np.column_stack([linear, _INPUT / 2 - linear @ centre])


def box_of_detection(face: Detection) -> Box:
    """The mesh's box for a face just detected."""
    right, left = face.keypoints[:2]
    roll = float(np.arctan2(left[1] - right[1], left[0] - right[0]))
    centre = (face.box[:2] + face.box[2:]) / 2
    side = float((face.box[2:] - face.box[:2]).max())
    return Box(float(centre[0]), float(centre[1]), side * _MARGIN, roll)


def box_of_mesh(points: NDArray[np.float32]) -> Box:
    """The mesh's box for the next frame, from (478, 2) points of this one."""
    across = points[_LEFT_EYE] - points[_RIGHT_EYE]
    roll = float(np.arctan2(across[1], across[0]))
    cos, sin = np.cos(roll), np.sin(roll)
    upright = points @ np.array([[cos, -sin], [sin, cos]])
    low, high = upright.min(0), upright.max(0)
    x, y = (low + high) / 2
    side = float((high - low).max())
    return Box(float(cos * x - sin * y), float(sin * x + cos * y), side * _MARGIN, roll)


class FaceMesh:
    """Finds 478 points of a face in a box, by a network in `face_landmarker.task`."""

    def __init__(self, task: Path | str) -> None:
        self._net = open_network(task, "face_landmarks_detector.tflite")

    def __call__(self, frame: NDArray[np.uint8], box: Box) -> tuple[NDArray[np.float32], float]:
        """Points (478, 2) in pixels of an (H, W, 3) uint8 RGB frame, and presence in 0..1."""
        matrix = box.matrix()
        pixels = warp(frame, matrix, _INPUT).astype(np.float32)
        outputs = self._net(pixels / 255)
        points = outputs[1, 1, 1, 1434].reshape(478, 3)[:, :2]
        logit = outputs[1, 1, 1, 1].item()
        presence = 1 / (1 + np.exp(-np.clip(logit, -60, 60)))
        return transform(points, invert(matrix)), float(presence)
