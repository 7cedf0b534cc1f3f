"""Video written frame by frame: H.264 and AAC, which play anywhere, VP9 and Opus, or a GIF.

For measurements there is FFV1 with FLAC, which lose nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.files import atomic_path
from pipeline.media.container import FPS, MediaError

if TYPE_CHECKING:
    from pipeline.media.audio import Audio


# x264's macroblock tree reads beyond its rows where pictures are not a multiple of 128 pixels wide,
# so that the same frames gave different bytes from time to time.
_X264 = {"preset": "medium", "x264-params": "mbtree=0"}
_THREADS = 4  # of x264, whose bytes depend on their number: the same on every machine


@dataclass(frozen=True)
class _Format:
    """Encoders and options of a container, by FFmpeg's names."""

    video: str = "libx264"
    pixels: str = "yuv420p"
    sound: str = "aac"  # empty where there is none
    rate: int = 0  # Hz of the sound; 0 keeps it
    options: dict[str, str] = field(default_factory=lambda: dict(_X264))  # of the pictures' encoder
    container: dict[str, str] = field(default_factory=dict)


_MP4 = _Format(container={"movflags": "+faststart+use_metadata_tags"})
# Constant quality at a speed that keeps up with sampling.
_VP9 = {"b:v": "0", "deadline": "good", "cpu-used": "4", "row-mt": "1"}
# Matroska and WebM files get a random number, unless bit-exact output is asked for.
_MATROSKA = {"fflags": "+bitexact"}
_FORMATS = {
    ".mp4": _MP4,
    ".mov": _MP4,
    ".mkv": _Format(container=_MATROSKA),
    ".webm": _Format("libvpx-vp9", sound="libopus", rate=48_000, options=_VP9, container=_MATROSKA),
    ".gif": _Format("gif", pixels="pal8", sound="", options={}),
}
# Every frame by itself; with slices, each of which has a checksum.
_FFV1 = {"level": "3", "g": "1", "slices": "4", "slicecrc": "1"}
_LOSSLESS = _Format("ffv1", pixels="bgr0", sound="flac", options=_FFV1, container=_MATROSKA)


def write_video(path: Path | str, frames: Iterable[NDArray[np.uint8]], **options: Any) -> int:
    """Writes (H, W, 3) uint8 RGB frames as they come; options as in `open_video`.

    Returns how many they were.
    """
    count = 0
    with open_video(path, **options) as write:
        for frame in frames:
            write(frame)
            count += 1
    return count


@contextmanager
def open_video(
    path: Path | str,
    *,
    fps: int = FPS,
    audio: Audio | None = None,
    crf: int = 12,
    lossless: bool = False,
    metadata: dict[str, str] | None = None,
) -> Iterator[Callable[[NDArray[np.uint8]], None]]:
    """Gives a function that writes the next frame; the file gets its name when all went well.

    By the suffix: .mp4, .mov, .mkv hold H.264 (yuv420p) and AAC, .webm VP9 and Opus, .gif pictures
    of 256 colours each without sound. Frames are (H, W, 3) uint8 RGB, all of one even size; the
    sound is cut to their length. `crf` is the constant rate factor: 0 best … 51; even 0 halves the
    chroma. `lossless` is FFV1 in RGB, and FLAC, which only .mkv holds: frames read back as they
    are. `metadata` are container tags.

    Raises:
        MediaError: the suffix names none of these, or there was not one frame.
    """
    chosen = _FORMATS.get(Path(path).suffix.lower())
    if lossless:
        if chosen is not _FORMATS[".mkv"]:
            raise MediaError(f"cannot write {path} without loss: use a name that ends in .mkv")
        chosen = _LOSSLESS
    if chosen is None:
        *names, last = _FORMATS
        raise MediaError(
            f"cannot write {path}: use a name that ends in {', '.join(names)} or {last}"
        )
    with (
        atomic_path(path) as temporary,
        av.open(f"file:{temporary}", "w", options=chosen.container) as container,
    ):
        container.metadata.update(metadata or {})
        writer = _Writer(container, chosen, fps, audio if chosen.sound else None, crf)
        yield writer.write
        if not writer.count:
            raise MediaError(f"nothing to write to {path}: there is not one frame")
        writer.finish()


class _Writer:
    """An open container: every frame is encoded as it comes, and the sound up to its end."""

    def __init__(
        self, container: Any, chosen: _Format, fps: int, audio: Audio | None, crf: int
    ) -> None:
        self._container, self._format, self._fps, self._crf = container, chosen, fps, crf
        self._audio = audio
        self._video: Any = None
        self._sound: Any = None
        self.count = self._sound_written = 0  # frames; samples
        if audio is not None:
            self._layout = "mono" if audio.samples.ndim == 1 else "stereo"
            self._sound = container.add_stream(
                chosen.sound, rate=chosen.rate or audio.rate, layout=self._layout
            )

    def write(self, frame: NDArray[np.uint8]) -> None:
        """Encodes the next (H, W, 3) uint8 RGB frame; all are of one even size."""
        if self._video is None:
            self._video = self._video_stream(frame)
        self._container.mux(self._video.encode(self._picture(frame)))
        self.count += 1
        self._write_sound(whole=False)

    def finish(self) -> None:
        """Writes the frames that the encoders still hold."""
        self._container.mux(self._video.encode(None))
        if self._audio is not None:
            self._write_sound(whole=True)
            self._container.mux(self._sound.encode(None))

    def _video_stream(self, frame: NDArray[np.uint8]) -> Any:
        stream = self._container.add_stream(self._format.video, rate=self._fps)
        stream.height, stream.width = frame.shape[:2]
        stream.pix_fmt = self._format.pixels
        stream.options = self._format.options
        if self._format.video == "libx264":
            stream.codec_context.thread_type = "FRAME"
            stream.codec_context.thread_count = _THREADS
        if self._format.pixels == "yuv420p":
            stream.options = {"crf": str(self._crf), **self._format.options}
            # swscale converts RGB with the BT.601 matrix; the flag keeps players from assuming
            # BT.709.
            stream.codec_context.colorspace = 6
            stream.codec_context.color_range = 1
        return stream

    def _picture(self, frame: NDArray[np.uint8]) -> Any:
        if self._format.pixels != "pal8":
            return av.VideoFrame.from_ndarray(frame, format="rgb24")
        quantised = Image.fromarray(frame).quantize(256)
        colours = np.array(quantised.getpalette(), np.uint8).reshape(-1, 3)
        palette = np.full((256, 4), 255, np.uint8)  # alpha first
        palette[: len(colours), 1:] = colours
        indexed: Any = (np.asarray(quantised), palette)
        return av.VideoFrame.from_ndarray(indexed, format="pal8")

    def _write_sound(self, *, whole: bool) -> None:
        """Encodes the sound up to the end of the last frame, in frames of 1024 samples."""
        if self._audio is None:
            return
        samples, rate, step = self._audio.samples, self._audio.rate, 1024
        end = min(round(self.count / self._fps * rate), len(samples))
        while self._sound_written + (1 if whole else step) <= end:
            begin = self._sound_written
            part = np.ascontiguousarray(samples[begin : min(begin + step, end)])
            frame = av.AudioFrame.from_ndarray(part.reshape(1, -1), "s16", self._layout)
            frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
            self._container.mux(self._sound.encode(frame))
            self._sound_written += len(part)
