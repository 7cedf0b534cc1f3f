"""Pictures as they are shown: in RGB of BT.709, of one size, their pixels square, upright."""

from fractions import Fraction
from typing import Any

import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from PIL import Image

from pipeline.media.colour import colour_note, in_srgb, rgb_in_bt709

# Display matrices of 0, 90, 180 and 270 degrees counter-clockwise.
_ROTATIONS = (None, (0, -1, 1, 0), (-1, 0, 0, -1), (0, 1, -1, 0))
_MAX_PIXEL_ASPECT = 4  # beyond it is an error of the file, which would take much memory


def stored_size(stream: Any, frame: Any) -> tuple[int, int]:
    """Width and height of a stream's pictures with square pixels, before rotation.

    Of the first picture: recordings of video calls change their size with the network.
    """
    aspect: Fraction = stream.sample_aspect_ratio or Fraction(1)
    if not Fraction(1, _MAX_PIXEL_ASPECT) <= aspect <= _MAX_PIXEL_ASPECT:
        aspect = Fraction(1)
    return round(frame.width * aspect), frame.height


def displayed_size(stream: Any, frame: Any) -> tuple[int, int]:
    """Width and height of a stream's pictures as they are shown."""
    width, height = stored_size(stream, frame)
    return (height, width) if _is_quarter_turn(_matrix(stream, frame)) else (width, height)


def rgb_as_displayed(
    stream: Any, frame: Any, size: tuple[int, int], converter: VideoReformatter
) -> NDArray[np.uint8]:
    """One decoded frame as it is shown: (H, W, 3) uint8 RGB; `size` is from `stored_size`.

    `converter` is one for a whole video, since making one starts threads.
    """
    rgb: NDArray[np.uint8]
    if colour_note(frame) is not None:
        rgb = rgb_in_bt709(frame, size, converter)
    else:
        shown: Any = converter.reformat(frame, *size, format="rgb24", threads=1)
        rgb = shown.to_ndarray()
        if profile := colour_profile(stream, frame):
            converted = in_srgb(Image.fromarray(rgb), profile)
            rgb = rgb if converted is None else np.array(converted)
    matrix = _matrix(stream, frame)
    if matrix is None:
        return rgb
    a, b, c, d = matrix
    if _is_quarter_turn(matrix):
        rgb = rgb.transpose(1, 0, 2)[:: _sign(b), :: _sign(c)]
    else:
        rgb = rgb[:: _sign(d), :: _sign(a)]
    return np.ascontiguousarray(rgb)


def colour_profile(stream: Any, frame: Any) -> bytes | None:
    """The ICC profile of a decoded frame; None where it has none that can be read."""
    found = None if _is_png(stream) else frame.side_data.get("ICC_PROFILE")
    return None if found is None else bytes(found)


def _is_png(stream: Any) -> bool:
    """Whether side data must not be looked at: PyAV 18.1 frees a PNG's profile name twice then."""
    return stream.codec_context.name in ("png", "apng")


def _matrix(stream: Any, frame: Any) -> tuple[int, int, int, int] | None:
    """a, b, c, d of the container's display matrix: x' = a x + c y, y' = b x + d y."""
    if _is_png(stream):
        return _ROTATIONS[round(frame.rotation / 90) % 4]
    found = frame.side_data.get("DISPLAYMATRIX")
    if found is None:
        return None
    a, b, _, c, d = np.frombuffer(bytes(found), np.int32)[:5].tolist()
    return a, b, c, d


def _is_quarter_turn(matrix: tuple[int, int, int, int] | None) -> bool:
    return matrix is not None and abs(matrix[1]) > abs(matrix[0])


def _sign(number: int) -> int:
    return -1 if number < 0 else 1
