"""At which size two videos are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SHAPE_TOLERANCE = 0.02  # a resized video rounds its sides to even numbers; a squeezed one is worse


def size_text(frame: NDArray[np.uint8]) -> str:
    """Width and height of a frame, as in `128x128`."""
    return f"{frame.shape[1]}x{frame.shape[0]}"


def compared_size(
    real: NDArray[np.uint8], fake: NDArray[np.uint8], image_size: int | None
) -> tuple[int, int]:
    """Width and height at which two frames are compared: the real's, or scaled to `image_size`.

    Raises:
        ValueError: the frames are of different shape, so that resizing would squeeze one.
    """
    (height, width), (fake_height, fake_width) = real.shape[:2], fake.shape[:2]
    if abs(fake_width * height / (fake_height * width) - 1) > SHAPE_TOLERANCE:
        raise ValueError(
            f"the fake is {size_text(fake)} and the real clip {size_text(real)}: crop one to the "
            "other's shape first"
        )
    scale = image_size / min(width, height) if image_size else 1.0
    return round(width * scale), round(height * scale)
