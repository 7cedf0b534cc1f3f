"""Video written as H.264 and AAC, a file that plays anywhere."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import numpy as np

from pipeline.files import atomic_path
from pipeline.media.container import FPS, MediaError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from pipeline.media.audio import Audio


def write_video(
    path: Path | str,
    frames: Iterable[NDArray[np.uint8]],
    *,
    fps: int = FPS,
    audio: Audio | None = None,
    crf: int = 12,
    metadata: dict[str, str] | None = None,
) -> int:
    """Writes H.264 (yuv420p) and AAC, cut to the length of the frames, atomically.

    Args:
        path: the output; .mp4, .mov or .mkv.
        frames: (H, W, 3) uint8 RGB, all of one even size; written as they come.
        fps: frames a second.
        audio: sound, or None for a silent file.
        crf: x264's constant rate factor: 0 lossless … 51; 12 gives about
            42 dB on faces, most of the loss being chroma.
        metadata: container tags.

    Returns:
        The number of frames written.

    Raises:
        MediaError: the suffix names no container for H.264, or there is not one frame.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in {".mp4", ".mov", ".mkv"}:
        raise MediaError(f"cannot write {path}: use a name that ends in .mp4, .mov or .mkv")
    count = 0
    with atomic_path(path) as temporary:
        options = {} if suffix == ".mkv" else {"movflags": "+faststart+use_metadata_tags"}
        with av.open(f"file:{temporary}", "w", options=options) as container:
            container.metadata.update(metadata or {})
            video: Any = None
            sound = _audio_stream(container, audio) if audio is not None else None
            for frame in frames:
                if video is None:
                    video = _video_output(container, frame, fps, crf)
                for packet in video.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")):
                    container.mux(packet)
                count += 1
            if video is None:
                raise MediaError(f"nothing to write to {path}: there is not one frame")
            container.mux(video.encode(None))
            if audio is not None:
                _encode_audio(container, sound, audio, count / fps)
    return count


def _video_output(container: Any, frame: NDArray[np.uint8], fps: int, crf: int) -> Any:
    stream = container.add_stream("libx264", rate=fps)
    stream.height, stream.width = frame.shape[:2]
    stream.pix_fmt = "yuv420p"
    stream.options = {"crf": str(crf), "preset": "medium"}
    # swscale converts RGB with the BT.601 matrix; saying so keeps players from guessing BT.709.
    stream.codec_context.colorspace = 6
    stream.codec_context.color_range = 1
    return stream


def _audio_stream(container: Any, audio: Audio) -> Any:
    layout = "mono" if audio.samples.ndim == 1 else "stereo"
    return container.add_stream("aac", rate=audio.rate, layout=layout)


def _encode_audio(container: Any, stream: Any, audio: Audio, seconds: float) -> None:
    samples = audio.samples[: round(seconds * audio.rate)]
    step = 1024
    layout = "mono" if samples.ndim == 1 else "stereo"
    for begin in range(0, len(samples), step):
        packed = np.ascontiguousarray(samples[begin : begin + step]).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate = audio.rate
        frame.pts = begin
        frame.time_base = Fraction(1, audio.rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
