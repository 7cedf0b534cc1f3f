"""SyncNet, the network behind AV offset and confidence (Chung & Zisserman, 2016), version 2.

Two convolutional branches after VGG-M, one for five frames of a face and one for 0.2 s of MFCC,
each ending in an embedding of 1024. Modules are named as in the released weights, `netcnnaud`,
`netfcaud`, `netcnnlip`, `netfclip`, which lie with its authors and fix what a branch sees.
"""

import pickle
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from python_speech_features import mfcc
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.media import SAMPLE_RATE, SAMPLES_PER_FRAME

FRAMES, STEPS, STEPS_PER_FRAME = 5, 20, 4  # of a window: frames, MFCC vectors; vectors a frame
SIZE = 224
_BRANCHES = ("netcnnaud", "netfcaud", "netcnnlip", "netfclip")
_MARGIN = 0.4  # of the crop, in half sides of the face's box
_SMOOTHING = 13  # frames of the median filter over the box
_OUTSIDE = 110  # grey level beyond the picture's edge
_BATCH = 20
# What torch.load and load_state_dict raise for files of something else.
_UNREADABLE = (
    AttributeError, EOFError, LookupError, RuntimeError, TypeError, ValueError,
    pickle.UnpicklingError,
)  # fmt: skip


class SyncNet(nn.Module):
    """Windows of sound and picture to embeddings of 1024."""

    def __init__(self) -> None:
        super().__init__()
        self.netcnnaud = nn.Sequential(
            *_sound(1, 64),
            nn.MaxPool2d(1, 1),
            *_sound(64, 192),
            nn.MaxPool2d(3, (1, 2)),
            *_sound(192, 384),
            *_sound(384, 256),
            *_sound(256, 256),
            nn.MaxPool2d(3, 2),
            *_sound(256, 512, (5, 4), 0),
        )
        self.netcnnlip = nn.Sequential(
            *_picture(3, 96, (5, 7, 7), 2, 0),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_picture(96, 256, (1, 5, 5), 2, 1),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2), (0, 1, 1)),
            *_picture(256, 256),
            *_picture(256, 256),
            *_picture(256, 256),
            nn.MaxPool3d((1, 3, 3), (1, 2, 2)),
            *_picture(256, 512, (1, 6, 6), 1, 0),
        )
        self.netfcaud = _head()
        self.netfclip = _head()

    def sound(self, windows: Tensor) -> Tensor:
        """(N, 1, 13, 20) MFCC to (N, 1024)."""
        return self.netfcaud(self.netcnnaud(windows).flatten(1))

    def picture(self, windows: Tensor) -> Tensor:
        """(N, 3, 5, 224, 224) BGR frames, 0..255, to (N, 1024)."""
        return self.netfclip(self.netcnnlip(windows).flatten(1))


def _sound(
    inputs: int, outputs: int, kernel: tuple[int, int] = (3, 3), padding: int = 1
) -> tuple[nn.Module, ...]:
    layer = nn.Conv2d(inputs, outputs, kernel, padding=padding)
    return layer, nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)


def _picture(
    inputs: int,
    outputs: int,
    kernel: tuple[int, int, int] = (1, 3, 3),
    stride: int = 1,
    padding: int = 1,
) -> tuple[nn.Module, ...]:
    layer = nn.Conv3d(inputs, outputs, kernel, (1, stride, stride), (0, padding, padding))
    return layer, nn.BatchNorm3d(outputs), nn.ReLU(inplace=True)


def _head() -> nn.Sequential:
    return nn.Sequential(nn.Linear(512, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 1024))


def load_syncnet(path: Path) -> SyncNet:
    """The network with the released weights at `path`, ready to infer."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        network = SyncNet()
        known = {k: v for k, v in state.items() if k.split(".")[0] in _BRANCHES}
        network.load_state_dict(known)
    except _UNREADABLE as error:
        raise UserError(f"{path} holds no weights of SyncNet v2: {error}") from error
    return network.eval().requires_grad_(requires_grad=False)


def sound_windows(samples: NDArray[np.int16], count: int) -> Tensor:
    """(count, 1, 13, 20) MFCC from each frame on, by python_speech_features' defaults."""
    cepstra = mfcc(samples, SAMPLE_RATE).T.astype(np.float32)
    first = np.arange(count)[:, None] * STEPS_PER_FRAME
    return torch.from_numpy(cepstra[:, first + np.arange(STEPS)]).transpose(0, 1)[:, None]


def face_boxes(landmarks: NDArray[np.floating]) -> NDArray[np.float64]:
    """Centre and half side of the face in each frame, median-filtered as SyncNet's crops are.

    SyncNet's own detector frames a face from forehead to chin: ours is the landmarks' box, a
    quarter higher.

    `landmarks`: (T, 68, 2), no NaN. Returns (T, 3): x, y, half of the larger side.
    """
    from scipy.signal import medfilt

    low, high = landmarks.min(1).astype(np.float64), landmarks.max(1).astype(np.float64)
    low[:, 1] -= 0.25 * (high[:, 1] - low[:, 1])
    boxes = np.column_stack([(low + high) / 2, (high - low).max(1) / 2])
    half = _SMOOTHING // 2
    padded = np.pad(boxes, ((half, half), (0, 0)), mode="edge")
    return np.column_stack([medfilt(column, _SMOOTHING) for column in padded.T])[half:-half]


def crop_face(frame: NDArray[np.uint8], box: NDArray[np.floating]) -> NDArray[np.uint8]:
    """The 224x224 crop that SyncNet looks at: from −s to 1.8 s below, ±1.4 s beside the centre."""
    x, y, s = (float(value) for value in box)
    pad = int(s * (1 + 2 * _MARGIN)) + 1
    x, y = x + pad, y + pad
    wide = cv2.copyMakeBorder(frame, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=(_OUTSIDE,) * 3)
    rows = slice(max(0, int(y - s)), int(y + s * (1 + 2 * _MARGIN)))
    columns = slice(max(0, int(x - s * (1 + _MARGIN))), int(x + s * (1 + _MARGIN)))
    return np.asarray(cv2.resize(wide[rows, columns], (SIZE, SIZE)), np.uint8)


def embeddings(
    network: SyncNet,
    frames: Sequence[NDArray[np.uint8]],
    landmarks: NDArray[np.floating],
    samples: NDArray[np.int16],
) -> tuple[Tensor, Tensor]:
    """Embeddings of picture and sound of a clip's windows, one from each frame on.

    `frames`: (H, W, 3) uint8 RGB at 25 fps; `landmarks`: (T, 68, 2) in them, no NaN; `samples`:
    (N,) int16, mono 16 kHz. Returns (W, 1024) each, where W = min(frames, samples // 640) − 5.
    """
    count = min(len(frames), len(samples) // SAMPLES_PER_FRAME) - FRAMES
    if count < 1:
        raise ValueError("SyncNet needs six frames with sound")
    boxes = face_boxes(landmarks)
    pairs = zip(frames, boxes, strict=True)
    crops = torch.from_numpy(np.stack([crop_face(frame, box)[..., ::-1] for frame, box in pairs]))
    crops = crops.permute(3, 0, 1, 2)  # (3, T, 224, 224) BGR
    sound = sound_windows(samples, count)
    device = next(network.parameters()).device
    of_picture, of_sound = [], []
    with torch.inference_mode():
        for first in range(0, count, _BATCH):
            last = min(first + _BATCH, count)
            windows = [crops[:, k : k + FRAMES] for k in range(first, last)]
            of_picture.append(network.picture(torch.stack(windows).float().to(device)).cpu())
            of_sound.append(network.sound(sound[first:last].to(device)).cpu())
    return torch.cat(of_picture), torch.cat(of_sound)
