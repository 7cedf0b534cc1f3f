"""Films of a face that talks, made with FFmpeg's encoders: any codec, rate, shape and start.

Picture and voice are functions of time alone, so that two films of any rates show and say the same
at the same moment.
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray
from skimage import data

Picture = Callable[[float], NDArray[np.uint8]]
Voice = Callable[[NDArray[np.float64]], NDArray[np.float64]]

SIDE = 256
REPEATABLE = {"fflags": "+bitexact"}  # no random numbers, no versions


@cache
def _portrait() -> NDArray[np.uint8]:
    """Eileen Collins by NASA, in the public domain: (256, 256, 3), the face about 92 px wide."""
    return np.ascontiguousarray(data.astronaut()[:SIDE, 96 : 96 + SIDE, :3])


def talker(time: float) -> NDArray[np.uint8]:
    """The face at a time in seconds: the head sways a little, and the mouth opens and closes."""
    opening = 1 - np.cos(2 * np.pi * 3.1 * time)
    image = _portrait().copy()
    axes = (11, round(4 * opening))
    cv2.ellipse(image, (126, 147), axes, 0, 0, 360, (52, 18, 20), -1, cv2.LINE_AA)
    sway = [[1, 0, 8 * np.sin(4.8 * time)], [0, 1, 5 * np.sin(7 * time + 1)]]
    return cv2.warpAffine(image, np.array(sway), (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE)


def voice(time: NDArray[np.float64]) -> NDArray[np.float64]:
    """Something like speech at times in seconds, -1 to 1: no two moments of it are alike."""
    phase = 2 * np.pi * (130 * time + 6 * np.sin(3.3 * time) + 2 * np.sin(17.1 * time))
    vowel = 0.5 + 0.5 * np.sin(5.3 * time)
    sound = np.zeros_like(time)
    for harmonic in range(1, 22):  # up to 3.2 kHz, so that sound of 8 kHz holds all of it
        near = 130 * harmonic - (500 + 300 * vowel), 130 * harmonic - (1900 - 700 * vowel)
        weight = sum(np.exp(-((distance / 250) ** 2)) for distance in near)
        sound += (weight + 0.05) * np.sin(harmonic * phase)
    syllables = np.abs(np.sin(9.1 * time)) * (0.6 + 0.4 * np.sin(2.3 * time + 1))
    return sound * syllables / 4


def on_canvas(picture: Picture, width: int, height: int, side: int, left: int, top: int) -> Picture:
    """A picture shrunk or grown to `side` pixels, on a grey canvas."""

    def placed(time: float) -> NDArray[np.uint8]:
        canvas = np.full((height, width, 3), 90, np.uint8)
        canvas[top : top + side, left : left + side] = cv2.resize(
            picture(time), (side, side), interpolation=cv2.INTER_AREA
        )
        return canvas

    return placed


def write_film(
    path: Path,
    *,
    seconds: float = 1.0,
    fps: Fraction | int = 25,
    times: Sequence[float] | None = None,
    picture: Picture | None = talker,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    coding: dict[str, str] | None = None,
    aspect: Fraction | None = None,
    sound: str | None = "aac",
    rate: int = 16_000,
    layout: str = "mono",
    sound_seconds: tuple[float, float] | None = None,
    speech: Voice = voice,
    muxer: str | None = None,
    muxing: dict[str, str] | None = None,
    start: float = 0.0,
    extra: Callable[[Any], None] | None = None,
) -> None:
    """Writes a film; the name decides on the container.

    Args:
        path: of the film.
        seconds: of picture.
        fps: pictures a second.
        times: seconds at which the pictures are shown, in place of `fps`.
        picture: what is seen at a time; None: a file without a picture.
        codec: FFmpeg's encoder of the picture.
        pixels: its pixel format.
        coding: options of that encoder.
        aspect: of a pixel.
        sound: FFmpeg's encoder of the sound; None: a file without sound.
        rate: of the sound, Hz.
        layout: of its channels; all but the first are quieter.
        sound_seconds: seconds between which there is sound; None: as long as the picture.
        said: what is sound_seconds at a time.
        muxer: the container, where the name does not tell it.
        muxing: its options.
        start: seconds that are added to every time stamp.
        extra: adds streams of its own before the first packet is written.
    """
    steady = [k / float(fps) for k in range(round(seconds * float(fps)))]
    stamps = steady if times is None else times
    # Codecs of the nineties know their own few rates only, so that a picture's time is its number.
    clock = Fraction(1, 90_000) if times is not None else 1 / Fraction(fps)
    begin, end = sound_seconds or (0.0, seconds)
    with av.open(f"file:{path}", "w", format=muxer, options=REPEATABLE | (muxing or {})) as film:
        shown: Any = None
        if picture is not None:
            shown = _picture_stream(film, codec, pixels, picture(0.0), Fraction(fps))
            shown.codec_context.time_base = clock
            shown.options = coding or {}
            if aspect is not None:
                shown.codec_context.sample_aspect_ratio = aspect
        spoken: Any = film.add_stream(sound, rate=rate, layout=layout) if sound else None
        if extra is not None:
            extra(film)
        pieces = _sound_pieces(spoken, speech, begin, end, start) if spoken else iter(())
        piece = next(pieces, None)
        for time in stamps if picture is not None else ():
            while piece is not None and piece[0] <= time:
                film.mux(spoken.encode(piece[1]))
                piece = next(pieces, None)
            film.mux(shown.encode(_picture_frame(picture(time), pixels, time + start, clock)))
        if shown is not None:
            film.mux(shown.encode(None))
        while piece is not None:
            film.mux(spoken.encode(piece[1]))
            piece = next(pieces, None)
        if spoken is not None:
            film.mux(spoken.encode(None))


def _picture_stream(
    film: Any, codec: str, pixels: str, image: NDArray[np.uint8], fps: Fraction
) -> Any:
    stream = film.add_stream(codec, rate=fps)
    stream.height, stream.width = image.shape[:2]
    stream.pix_fmt = pixels
    stream.codec_context.thread_count = 1  # the same bytes on any machine
    return stream


def _picture_frame(image: NDArray[np.uint8], pixels: str, time: float, clock: Fraction) -> Any:
    frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
    frame.time_base, frame.pts = clock, round(time / clock)
    return frame


def _sound_pieces(
    stream: Any, speech: Voice, begin: float, end: float, start: float
) -> Iterator[tuple[float, Any]]:
    """(seconds, frame) of the sound in pieces that the encoder takes."""
    context = stream.codec_context
    rate, channels = context.sample_rate, context.layout.nb_channels
    size = 1024
    for first in range(round(begin * rate), round(end * rate), size):
        index = np.arange(first, min(first + size, round(end * rate)))
        wave = speech(index / rate)
        loudness = np.array([1.0, *[0.5] * (channels - 1)])
        packed = np.round(wave[:, None] * loudness * 16_000).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(
            packed.reshape(1, -1), format="s16", layout=context.layout.name
        )
        frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
        frame.pts = first + round(start * rate)
        yield first / rate, frame
