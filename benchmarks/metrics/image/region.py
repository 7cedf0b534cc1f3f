"""Where in a frame SSIM, PSNR and MSE look: all of it, the face or the mouth."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Region = Literal["frame", "face", "mouth"]
_FIRST = {"face": 0, "mouth": 48}  # landmark
_MARGIN = 5 / 128  # of the shorter side, as the paper's eq. 18 has it
PROTOCOLS = {
    name: f"; in the box around landmarks {first}..67 (MediaPipe's mesh) of the real frame, with a "
    "margin of 5 pixels at 128 on the shorter side"
    for name, first in _FIRST.items()
}


def region_boxes(
    landmarks: NDArray[np.floating], region: Literal["face", "mouth"], size: tuple[int, int]
) -> NDArray[np.int64]:
    """The box of a region in every frame.

    `landmarks`: (T, 68, 2) in pixels of frames of that size, no NaN. Returns (T, 4): x0 y0 x1 y1,
    half open, inside the frame.
    """
    points = landmarks[:, _FIRST[region] :]
    margin = max(1, round(_MARGIN * min(size)))
    low = np.floor(points.min(1)) - margin
    high = np.ceil(points.max(1)) + margin
    boxes = np.concatenate([low, high], 1).clip(0, [*size, *size]).astype(np.int64)
    if (boxes[:, :2] >= boxes[:, 2:]).any():
        raise ValueError(f"the {region} of the real clip is outside the picture")
    return boxes
