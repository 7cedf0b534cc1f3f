"""One clip on the page: its first frame, mouths boxed over time, and mouth against sound."""

from __future__ import annotations

import base64
from html import escape
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from pipeline.dataset.pages.svg import curve_over_area
from pipeline.faces.mouth_box import mouth_opening
from pipeline.media.image import resize
from pipeline.speech.lip_sync import log_energy
from pipeline.units import number_text

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from pipeline.dataset.sample import Sample

_STRIP = 6  # frames
_STRIP_SIDE = 112  # pixels of a frame of the strip; on the page it is smaller still
_FIRST_SIDE = 192
_QUALITY = 78
_BOX = (0, 255, 110)  # a green that no face has
_OPENING = (0.0, 0.45)  # eye distances; a mouth wide open
_LOUDNESS = (-60.0, 0.0)  # dB full scale


def clip_card(sample: Sample, row: dict[str, Any]) -> str:
    """The HTML of one clip.

    Args:
        sample: from the shard.
        row: of the clip in the parquet.
    """
    meta, length = sample.meta, len(sample.frames)
    chosen = np.linspace(0, length - 1, min(_STRIP, length)).round().astype(int).tolist()
    strip = np.hstack([boxed(sample, index, _STRIP_SIDE) for index in chosen])
    width, height = meta["source_size"]
    facts: tuple[str, ...] = (
        f"{meta['speaker'] or 'speaker unknown'} · {meta['split']}",
        f"{length} frames, {number_text(row['clip_seconds'])} s",
        f"{width} × {height}, {number_text(meta['source_fps'])} fps",
        f"face {row['eye_distance']:.0f} px · {number_text(row['loudness'])} dBFS",
        f"yaw {row['yaw']:z.0f}° · pitch {row['pitch']:z.0f}°".replace("-", "−"),
    )
    if row["missing_seconds"] > 0:
        facts += (f"cut off: the file says it is {number_text(row['missing_seconds'])} s longer",)
    lines = "".join(f"<div>{escape(fact)}</div>" for fact in facts)
    curve = curve_over_area(
        mouth_opening(sample.landmarks), log_energy(sample.audio, length), _OPENING, _LOUDNESS
    )
    first = _image(_fit(sample.frames[0], _FIRST_SIDE), "first frame")
    key = escape(sample.key)
    return (
        f'<article id="{key}"><div class="first">{first}'
        f'<div><h3 title="{escape(meta["source"])}">{key}</h3>{lines}</div></div>'
        f"{_image(strip, 'mouth boxes')}{curve}</article>"
    )


def boxed(sample: Sample, index: int, side: int) -> NDArray[np.uint8]:
    """A frame at `side` pixels or less, its mouth box drawn."""
    full = sample.frames[index]
    frame = _fit(full, side).copy()
    x0, y0, x1, y1 = (sample.mouth[index] * (len(frame) / len(full))).round().astype(int).tolist()
    # The box is half open: its last pixel is inside x1 and y1.
    cv2.rectangle(frame, (x0, y0), (x1 - 1, y1 - 1), _BOX, 2)
    return frame


def _fit(frame: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The frame at `side` pixels, or as it is when smaller."""
    if len(frame) <= side:
        return frame
    return resize(frame, (side, side))


def _image(picture: NDArray[np.uint8], alt: str) -> str:
    """An img element that holds the picture."""
    flags = [cv2.IMWRITE_WEBP_QUALITY, _QUALITY]
    data = cv2.imencode(".webp", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), flags)[1]
    code = base64.b64encode(data.tobytes()).decode()
    return f'<img src="data:image/webp;base64,{code}" alt="{alt}" loading="lazy">'
