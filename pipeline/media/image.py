"""Pictures read and written as (H, W, 3) uint8 RGB."""

from __future__ import annotations

import shutil
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

from pipeline.files import atomic_path
from pipeline.media.container import MediaError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

IMAGE_SUFFIXES = frozenset([".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"])


def read_image(path: Path | str) -> NDArray[np.uint8]:
    """Reads a picture, turned as its EXIF data asks: (H, W, 3) uint8 RGB.

    Raises:
        MediaError: the file is absent or no picture.
    """
    name = Path(path)
    if not name.exists():
        raise MediaError(f"no such file: {name}")
    data = np.frombuffer(name.read_bytes(), np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if image is None:
        raise MediaError(f"cannot read {name} as a picture; PNG and JPEG are safe choices")
    return cast("NDArray[np.uint8]", cv2.cvtColor(image, cv2.COLOR_BGR2RGB))


def resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture at (width, height): pixel-area means when smaller, bicubic when larger."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    method = cv2.INTER_AREA if size[0] * size[1] < width * height else cv2.INTER_CUBIC
    return cast("NDArray[np.uint8]", cv2.resize(image, size, interpolation=method))


def write_image(path: Path | str, image: NDArray[np.uint8]) -> None:
    """Writes (H, W, 3) uint8 RGB as a picture, the format by the suffix, atomically.

    Raises:
        MediaError: no picture format has that suffix.
        OSError: it cannot be written.
    """
    if not cv2.haveImageWriter(str(path)):
        raise MediaError(f"cannot write {path}: use a name that ends in .png or .jpg")
    with atomic_path(path) as temporary:
        _write(temporary, image)


@contextmanager
def open_pictures(folder: Path | str) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Gives a function that writes the next (H, W, 3) uint8 RGB frame as FOLDER/000000.png, ….

    The folder takes its name when all went well; it must not be there before.

    Raises:
        OSError: a picture cannot be written.
    """
    with ExitStack() as afterwards, atomic_path(folder) as temporary:
        # By then the folder has its name, or is left over from an error.
        afterwards.callback(shutil.rmtree, temporary, ignore_errors=True)
        temporary.mkdir()
        count = 0

        def write(frame: NDArray[np.uint8]) -> None:
            nonlocal count
            _write(temporary / f"{count:06d}.png", frame)
            count += 1

        yield write


def _write(path: Path, image: NDArray[np.uint8]) -> None:
    """Writes a picture; `cv2.imwrite` would not report a full disk."""
    encoded = cv2.imencode(path.suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1]
    path.write_bytes(encoded.tobytes())
