"""One clip of the contact sheet: first frame, mouth boxes over time, mouth against sound."""

from typing import Any

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from pipeline.dataset.sample import Sample
from pipeline.faces.mouth_box import mouth_opening
from pipeline.media.image import encode_image, resize
from pipeline.plots import COLOURS, bare_figure, inline_svg
from pipeline.speech.lip_sync import log_energy
from pipeline.units import evenly, number_text

_STRIP = 6  # frames
_STRIP_SIDE = 112  # pixels of a frame of the strip; on the page it is smaller still
_FIRST_SIDE = 192
_QUALITY = (cv2.IMWRITE_WEBP_QUALITY, 78)
_BOX = (0, 255, 110)  # a green that no face has
_OPENING = (0.0, 0.45)  # eye distances; a mouth wide open
_LOUDNESS = (-60.0, 0.0)  # dB full scale
_POINTS = 240  # of a curve; more cannot be seen


def clip_card(sample: Sample, row: dict[str, Any]) -> dict[str, Any]:
    """What the template shows of a clip: its texts, `first` and `strip` as WebP, `plot` as SVG."""
    meta, length = sample.meta, len(sample.frames)
    width, height = meta["source_size"]
    facts = [
        f"{meta['speaker'] or 'speaker unknown'} · {meta['split']}",
        f"{length} frames, {number_text(row['clip_seconds'])} s",
        f"{width} × {height}, {number_text(meta['source_fps'])} fps",
        f"face {row['eye_distance']:.0f} px · {number_text(row['loudness'])} dBFS",
        f"yaw {row['yaw']:z.0f}° · pitch {row['pitch']:z.0f}°".replace("-", "−"),
    ]
    if row["missing_seconds"] > 0:
        facts.append(f"cut off: the file says it is {number_text(row['missing_seconds'])} s longer")
    chosen = evenly(range(length), _STRIP)
    strip = np.hstack([boxed(sample, index, _STRIP_SIDE) for index in chosen])
    plot = curve_over_area(mouth_opening(sample.landmarks), log_energy(sample.audio, length))
    return {
        "key": sample.key,
        "source": meta["source"],
        "facts": facts,
        "first": encode_image(_fit(sample.frames[0], _FIRST_SIDE), ".webp", *_QUALITY),
        "strip": encode_image(strip, ".webp", *_QUALITY),
        "plot": inline_svg(plot, "mouth opening over loudness"),
    }


def boxed(sample: Sample, index: int, side: int) -> NDArray[np.uint8]:
    """A frame at `side` pixels or less, its mouth box drawn."""
    full = sample.frames[index]
    frame = _fit(full, side).copy()
    x0, y0, x1, y1 = (sample.mouth[index] * (len(frame) / len(full))).round().astype(int).tolist()
    # The box is half open: its last pixel is inside x1 and y1.
    cv2.rectangle(frame, (x0, y0), (x1 - 1, y1 - 1), _BOX, 2)
    return frame


def curve_over_area(opening: NDArray[np.floating], loudness: NDArray[np.floating]) -> Figure:
    """The mouth's opening, (T,) eye distances, as a curve before the loudness, (T,) dB."""
    # Means of as many parts as can be seen; the parts may differ by one frame.
    frames = np.array_split(np.arange(len(opening)), min(len(opening), _POINTS))
    shares = np.interp(opening, _OPENING, (0, 1)), np.interp(loudness, _LOUDNESS, (0, 1))
    x, line, area = (
        [values[part].mean() for part in frames] for values in (np.arange(len(opening)), *shares)
    )
    figure, axes = bare_figure(320, 52)
    axes.set(xlim=(x[0], x[-1]), ylim=(0, 1))
    axes.fill_between(x, area, color=COLOURS["area"], linewidth=0)
    axes.plot(x, line, color=COLOURS["accent"], linewidth=1.6)
    return figure


def _fit(frame: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """The frame at `side` pixels, or as it is when smaller."""
    return frame if len(frame) <= side else resize(frame, (side, side))
