"""A system's own pictures brought to the protocol: cropped, of the clip's size, at 25 fps."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from pipeline.media import FPS, read_frames
from pipeline.media.image import resize

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.systems.methods import Output


def aligned(
    video: Path, output: Output, shape: tuple[int, ...], frames: int
) -> Iterator[NDArray[np.uint8]]:
    """A system's pictures as the protocol's frames: cropped, of the clip's size, frame k at k.

    Args:
        video: what the system made, at any rate.
        output: where the frame lies in its pictures, and how it begins.
        shape: (H, W, …) of the clip's frames.
        frames: the most that are wanted.

    Yields:
        (H, W, 3) uint8 RGB at 25 fps.
    """
    made = itertools.islice(read_frames(video, fps=FPS), output.skip, None)
    first = next(made, None)
    if first is None:
        return
    lead = itertools.repeat(first, output.lead)
    for picture in itertools.islice(itertools.chain(lead, [first], made), frames):
        yield _cropped(picture, output.frame, (shape[1], shape[0]))


def _cropped(
    picture: NDArray[np.uint8], box: tuple[float, ...], size: tuple[int, int]
) -> NDArray[np.uint8]:
    height, width = picture.shape[:2]
    x0, x1 = (round(share * width) for share in (box[0], box[2]))
    y0, y1 = (round(share * height) for share in (box[1], box[3]))
    crop = picture[y0:y1, x0:x1]
    return np.ascontiguousarray(resize(crop, size))
