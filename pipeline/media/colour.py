"""Pictures of high dynamic range or wide gamut converted to BT.709, those with a profile to sRGB.

As ITU-R BT.2408 maps them: HLG by the light of the scene, where 75 % of the signal is white, with
the square root of BT.2087 for BT.709's camera curve; PQ by the light of the display, where 203 nits
are white, with the display's gamma of 2.4. What is brighter than white is clipped.
"""

import io
from functools import cache, lru_cache
from typing import Any

import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from PIL import Image, ImageCms

from pipeline.media.notes import Note

# Code points of ITU-T H.273, which FFmpeg reports.
_PQ, _HLG = 16, 18  # transfer
_BT2020, _P3_DCI, _P3_D65 = 9, 11, 12  # primaries
_UNSPECIFIED, _BT2020_MATRIX = 2, 9  # matrix of Y'CbCr
_PQ_WHITE = 203.0  # nits
_HLG_WHITE = 0.75  # of the signal
_CAMERA_GAMMA, _DISPLAY_GAMMA = 2.0, 2.4
# Linear RGB to linear BT.709, from the primaries' chromaticities.
_FROM_BT2020 = np.array(
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)
_FROM_P3 = np.array(
    [[1.2249, -0.2247, 0.0], [-0.0420, 1.0419, 0.0], [-0.0197, -0.0786, 1.0979]]
)  # fmt: skip


def colour_note(frame: Any) -> Note | None:
    """The conversion that a decoded frame needs; None for one in a usual colour space."""
    if frame.color_trc in (_PQ, _HLG):
        return "tone-mapped"
    return "gamut-converted" if frame.color_primaries in (_BT2020, _P3_DCI, _P3_D65) else None


def rgb_in_bt709(
    frame: Any, size: tuple[int, int], converter: VideoReformatter
) -> NDArray[np.uint8]:
    """A frame for which `colour_note` asks for it, converted to `size`: (H, W, 3) uint8 RGB."""
    # (H, W, 3) uint16 in the source's own transfer and primaries.
    matrix = _BT2020_MATRIX if frame.colorspace == _UNSPECIFIED else None
    shown: Any = converter.reformat(
        frame, *size, format="rgb48le", src_colorspace=matrix, threads=1
    )
    # Linear light in the primaries of BT.709, 1 being white; then its gamma, in steps of 16 bits.
    light: Any = _light_of(frame.color_trc).take(shown.to_ndarray())
    from_p3 = frame.color_primaries in (_P3_DCI, _P3_D65)
    light = cv2.transform(light, 65535 * (_FROM_P3 if from_p3 else _FROM_BT2020))
    steps = np.clip(light, 0, 65535, out=light).astype(np.uint16)
    gamma = _CAMERA_GAMMA if frame.color_trc == _HLG else _DISPLAY_GAMMA
    return _gamma_table(gamma).take(steps)


@cache
def _light_of(transfer: int) -> NDArray[np.float32]:
    """(65536,) linear light for every 16-bit value of a transfer function, 1 being white."""
    value = np.arange(65536) / 65535
    if transfer == _HLG:
        a, b, c = 0.17883277, 0.28466892, 0.55991073
        white = (np.exp((_HLG_WHITE - c) / a) + b) / 12
        light = np.where(value <= 0.5, value**2 / 3, (np.exp((value - c) / a) + b) / 12) / white
    elif transfer == _PQ:
        m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
        power = value ** (1 / m2)
        nits = 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)
        light = nits / _PQ_WHITE
    else:
        light = value**_DISPLAY_GAMMA
    return light.astype(np.float32)


@cache
def _gamma_table(gamma: float) -> NDArray[np.uint8]:
    """(65536,) 8-bit values for light from 0 to 1."""
    return np.round(255 * (np.arange(65536) / 65535) ** (1 / gamma)).astype(np.uint8)


def changes_colour(profile: bytes | None) -> bool:
    """Whether `in_srgb` converts RGB pictures with this profile."""
    return profile is not None and _to_srgb(profile, "RGB") is not None


def in_srgb(image: Image.Image, profile: bytes | None) -> Image.Image | None:
    """A picture converted to sRGB; None where its profile is sRGB, absent or not usable."""
    convert = _to_srgb(profile, image.mode) if profile else None
    return ImageCms.applyTransform(image, convert) if convert is not None else None


@lru_cache(maxsize=4)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(given):
            return None
        return ImageCms.buildTransform(given, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
