"""Corruption of motion frames in training, so that a network learns not to copy their flaws."""

from collections.abc import Sequence
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray

from model.config.recipe import MotionCorruption

_WORST_QUALITY = 5


def corrupt(
    frames: Sequence[NDArray[np.uint8]],
    strength: MotionCorruption,
    level: float,
    rng: np.random.Generator,
) -> list[NDArray[np.uint8]]:
    """Blurs, recolours and compresses (S, S, 3) motion frames; their noise is added on the device.

    All frames are given the same damage, as neighbours in a generated video have, at a level of 0 …
    1.
    """
    # Contrast about grey, and a shift of each channel in pixel values.
    amount, (contrast, *channels) = strength.colour * level, rng.uniform(-1, 1, 4)
    gain, shift = 1 + amount * contrast, 255 * amount * np.array(channels)
    sigma = strength.blur / 100 * len(frames[0]) * level
    damage = strength.compression * level
    corrupted = []
    for frame in frames:
        now: NDArray[np.uint8] = frame
        if sigma:
            now = cast("NDArray[np.uint8]", cv2.GaussianBlur(now, (0, 0), sigma))
        if strength.colour:
            now = np.clip((now - 127.5) * gain + 127.5 + shift, 0, 255).round().astype(np.uint8)
        if damage:  # what is left after JPEG
            quality = round(100 - damage * (100 - _WORST_QUALITY))
            bgr = cv2.cvtColor(now, cv2.COLOR_RGB2BGR)
            packed = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
            now = cast("NDArray[np.uint8]", cv2.imdecode(packed, cv2.IMREAD_COLOR_RGB))
        corrupted.append(now)
    return corrupted
