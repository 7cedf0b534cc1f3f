"""Faces in a frame by S3FD, the detector of face-alignment.

The network, the anchors, the thresholds and the suppression are those of face-alignment 1.5.0
(BSD-3-Clause, https://github.com/1adrianb/face-alignment), after Zhang et al.,
"S3FD: Single Shot Scale-invariant Face Detector", ICCV 2017. The package reads the network's output
in a Python loop over positions; here each level is read at once.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from face_alignment.detection.sfd.bbox import nms
from face_alignment.detection.sfd.net_s3fd import s3fd
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.media.image import resize
from pipeline.runtimes.onednn import quicken

Precision = Literal["float32", "bfloat16"]

_LONG_SIDE = 640  # pixels to which a frame's longer side is reduced
_MIN_SHORT_SIDE = 32  # pixels of its shorter side, which the network's strides need
_MIN_SCORE = 0.5
_OVERLAP = 0.3  # of two boxes that are one face
_FIRST_STRIDE = 4  # of the finest level; it doubles with each level
_ANCHOR = 4  # side of a level's anchors, in strides
_VARIANCES = (0.1, 0.2)  # of the offsets of centre and size
_MEAN_BGR = (104.0, 117.0, 123.0)
# What torch raises for a file that is missing or no checkpoint.
_LOAD_ERRORS = (
    OSError, EOFError, RuntimeError, ValueError, TypeError, AttributeError, LookupError,
    pickle.UnpicklingError,
)  # fmt: skip


class S3FDDetector:
    """Finds faces in a frame, whose longer side is first reduced to 640 pixels.

    The network finds faces from about 16 pixels on, a fortieth of the frame's longer side. In a
    strip that is then less than 32 pixels wide it finds none. Frames are not batched, so that the
    result for a frame does not depend on its neighbours.
    """

    def __init__(
        self, path: Path | str, device: str = "cpu", precision: Precision = "float32"
    ) -> None:
        self._net = load_weights(s3fd(), path, device)
        self._mean = torch.tensor(_MEAN_BGR, device=device).view(3, 1, 1)
        self._precision = precision

    @torch.inference_mode()
    def detect(self, frame: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Faces in an (H, W, 3) uint8 RGB frame: (N, 5) x0 y0 x1 y1 score, best score first."""
        height, width = frame.shape[:2]
        factor = _LONG_SIDE / max(height, width)
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        small = resize(frame, size) if factor < 1 else frame
        if min(small.shape[:2]) < _MIN_SHORT_SIDE:
            return np.empty((0, 5))
        bgr = torch.from_numpy(small).to(self._mean.device)[None].flip(-1)
        # A view whose channels lie last in memory, as the network's weights do.
        pixels = bgr.permute(0, 3, 1, 2).float() - self._mean
        with autocast(self._mean.device, self._precision):
            outputs = self._net(pixels)
        faces = decode([output.float().cpu() for output in outputs])
        faces[:, :4] *= np.array([width / small.shape[1], height / small.shape[0]] * 2)
        return faces


def decode(outputs: Sequence[Tensor]) -> NDArray[np.float64]:
    """Faces from the network's output for one frame: (N, 5) x0 y0 x1 y1 score, best score first.

    For each level, finest first, `outputs` are the scores (1, 2, h, w) of background and face, and
    the offsets (1, 4, h, w) of an anchor's centre and size, float32.
    """
    found = []
    for level, (scores, offsets) in enumerate(zip(outputs[::2], outputs[1::2], strict=True)):
        stride = _FIRST_STRIDE << level
        face = torch.softmax(scores[0], 0)[1]
        row, column = torch.nonzero(face > _MIN_SCORE, as_tuple=True)
        offset = offsets[0, :, row, column].T.double()
        side = _ANCHOR * stride
        anchor = torch.stack([column, row], 1) * stride + stride / 2
        centre = anchor + offset[:, :2] * _VARIANCES[0] * side
        size = torch.exp(offset[:, 2:] * _VARIANCES[1]) * side
        rows = [centre - size / 2, centre + size / 2, face[row, column, None].double()]
        found.append(torch.cat(rows, 1))
    faces = torch.cat(found).numpy()
    # The package applies the threshold after suppression, with the same result: a box suppresses
    # only those that score less.
    return cast("NDArray[np.float64]", faces[nms(faces, _OVERLAP)])


def load_weights(net: nn.Module, path: Path | str, device: str) -> nn.Module:
    """Loads a file into a network and prepares it to run, channels last in memory."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        net.load_state_dict(state)
    except _LOAD_ERRORS as error:
        raise UserError(
            f"{path} does not hold the weights of {type(net).__name__}; dh-prep doctor says where "
            "to get the file"
        ) from error
    net.eval().requires_grad_(requires_grad=False)
    quicken(net)
    # PyTorch's stubs do not know this keyword of Module.to.
    return cast("nn.Module", cast("Any", net).to(device, memory_format=torch.channels_last))


def autocast(device: torch.device, precision: Precision) -> torch.autocast:
    """The context in which a network computes in `precision`."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
