"""Pictures read and written as (H, W, 3) uint8 sRGB."""

import io
import itertools
import shutil
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from pipeline.files import atomic_path
from pipeline.media.colour import in_srgb
from pipeline.media.container import MediaError
from pipeline.media.video import probe, read_frames

IMAGE_SUFFIXES = frozenset((
    ".avif", ".bmp", ".heic", ".heif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".png", ".tif",
    ".tiff", ".webp",
))  # fmt: skip


def read_image(path: Path | str) -> NDArray[np.uint8]:
    """Reads a picture: (H, W, 3) sRGB, turned as its EXIF data asks, on white if transparent.

    Raises:
        MediaError: the file is absent or no picture.
    """
    name = Path(path)
    if not name.exists():
        raise MediaError(f"no such file: {name}")
    data = name.read_bytes()
    picture = _with_profile_or_transparency(data)
    if picture is not None:
        return picture
    if data[4:8] == b"ftyp":  # HEIC and AVIF
        probe(name)  # refuses what holds no frame
        return next(read_frames(name))
    image = None
    with suppress(cv2.error):  # raised for sizes beyond belief
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB) if data else None
    if image is None:
        raise MediaError(f"cannot read {name} as a picture; PNG and JPEG are safe choices")
    return image


def _with_profile_or_transparency(data: bytes) -> NDArray[np.uint8] | None:
    """A picture that has transparency or a colour profile other than sRGB; None for others.

    None too for what Pillow cannot read, be it the picture, its profile or its EXIF data: these
    are optional, and OpenCV then reads the pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of EXIF data and sizes
            opened = Image.open(io.BytesIO(data))
            profile, transparent = opened.info.get("icc_profile"), opened.has_transparency_data
            if not profile and not transparent:
                return None
            image = ImageOps.exif_transpose(opened)
            if transparent:
                # The profile is applied below, to what is opaque by then.
                ground = Image.new("RGBA", image.size, (255, 255, 255, 255))
                image = Image.alpha_composite(ground, image.convert("RGBA")).convert("RGB")
            converted = in_srgb(image, profile)
            if converted is None and not transparent:
                return None
            return np.asarray((converted or image).convert("RGB"))
    except Exception:  # noqa: BLE001 - broken files raise anything
        return None


def resize(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """A picture at (width, height): pixel-area means when smaller, bicubic when larger."""
    height, width = image.shape[:2]
    if (width, height) == size:
        return image
    method = cv2.INTER_AREA if size[0] * size[1] < width * height else cv2.INTER_CUBIC
    return cv2.resize(image, size, interpolation=method)


def write_image(path: Path | str, image: NDArray[np.uint8]) -> None:
    """Writes (H, W, 3) uint8 RGB as a picture, the format by the suffix, atomically."""
    if not cv2.haveImageWriter(str(path)):
        raise MediaError(f"cannot write {path}: use a name that ends in .png or .jpg")
    with atomic_path(path) as temporary:
        temporary.write_bytes(encode_image(image, temporary.suffix))


@contextmanager
def open_pictures(folder: Path | str) -> Iterator[Callable[[NDArray[np.uint8]], object]]:
    """Gives a function that writes the next (H, W, 3) uint8 RGB frame as FOLDER/000000.png, ….

    The folder takes its name when all went well; it must not be there before.
    """
    with ExitStack() as afterwards, atomic_path(folder) as temporary:
        # By then the folder has its name, or is left over from an error.
        afterwards.callback(shutil.rmtree, temporary, ignore_errors=True)
        temporary.mkdir()
        names = (f"{number:06d}.png" for number in itertools.count())
        yield lambda frame: (temporary / next(names)).write_bytes(encode_image(frame, ".png"))


def encode_image(image: NDArray[np.uint8], suffix: str, *flags: int) -> bytes:
    """(H, W, 3) uint8 RGB as a picture in the format of a suffix; flags are those of OpenCV.

    Written as bytes, since `cv2.imwrite` would not report a full disk.
    """
    return cv2.imencode(suffix, cv2.cvtColor(image, cv2.COLOR_RGB2BGR), flags)[1].tobytes()
