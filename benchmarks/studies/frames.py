"""How frames are best stored: packed JPEG against intra-only H.264 on aligned 128 x 128 crops.

Run it on a folder of talking-head clips; it prints a Markdown table. One thread, and processor time
rather than the clock's, so that a busy machine blurs the numbers little.
"""

import io
import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, cast

import av
import cv2
import numpy as np
import typer
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio

from benchmarks.clips.pairs import find_videos
from benchmarks.speed.harness import Cost, each, header, markdown, timed
from pipeline.dataset.sample import PackedFrames, pack_frames
from pipeline.faces.alignment import crop, transforms
from pipeline.faces.tracking import MediaPipeTracker, stretches
from pipeline.media import FPS, read_frames
from pipeline.weights import locate

SIZE = 128
READ = 4  # random frames that a training step reads of a clip
REPEATS = 5  # of the reading, each with other frames


@dataclass(frozen=True)
class Codec:
    """A way to store a clip: `open` gives a function that reads frame k of what is stored."""

    name: str
    encode: Callable[[list[NDArray[np.uint8]]], Any]
    open: Callable[[Any], Callable[[int], NDArray[np.uint8]]]
    size: Callable[[Any], int]


def jpeg(quality: int) -> Codec:
    """JPEG 4:4:4 pictures end to end, as samples hold them."""
    return Codec(
        f"JPEG 4:4:4, quality {quality}",
        lambda frames: pack_frames(frames, quality),
        lambda stored: PackedFrames(*stored).__getitem__,
        lambda stored: len(stored[0]) + stored[1].nbytes,
    )


def h264(pixels: str, crf: int) -> Codec:
    """MP4 of H.264 whose every frame is a key frame."""
    name = f"H.264 intra {':'.join(pixels[3:6])}, crf {crf}"
    return Codec(name, partial(_to_mp4, pixels, crf), _open_mp4, len)


def _to_mp4(pixels: str, crf: int, frames: list[NDArray[np.uint8]]) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream: Any = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        stream.thread_count = 1
        stream.options = {"crf": str(crf), "g": "1", "bf": "0", "preset": "medium"}
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _open_mp4(stored: bytes) -> Callable[[int], NDArray[np.uint8]]:
    container: Any = av.open(io.BytesIO(stored))
    stream = container.streams.video[0]
    stream.thread_count = 1
    reformatter = VideoReformatter()  # one for all frames: each sets up anew what it converts with

    def read(k: int) -> NDArray[np.uint8]:
        stamp = round(k / FPS / stream.time_base)
        container.seek(stamp, stream=stream)
        frame: Any = next(container.decode(stream))
        if frame.pts != stamp:
            raise ValueError(f"asked for the frame at {stamp}, got that at {frame.pts}")
        rgb = reformatter.reformat(frame, format="rgb24").to_ndarray()
        return cast("NDArray[np.uint8]", rgb)

    return read


CODECS = (
    *(jpeg(quality) for quality in (90, 93, 95, 97, 99)),
    *(h264("yuv444p", crf) for crf in (4, 7, 10, 14)),
    *(h264("yuv420p", crf) for crf in (4, 10)),
)


def measure(codec: Codec, clips: Sequence[list[NDArray[np.uint8]]]) -> list[str]:
    """A row of the table."""
    rng = np.random.default_rng(0)
    psnr: list[float] = []
    size = 0
    encoding = opening = reading = Cost()
    for clip in clips:
        cost, stored = timed(partial(codec.encode, clip))
        encoding += cost
        size += codec.size(stored)
        read = codec.open(stored)
        back = np.stack([read(k) for k in range(len(clip))])
        psnr.append(peak_signal_noise_ratio(np.stack(clip), back, data_range=255))
        for _ in range(REPEATS):
            indices = rng.choice(len(clip), READ, replace=False).tolist()
            cost, read = timed(partial(codec.open, stored))
            opening += cost
            reading += timed(lambda read=read, indices=indices: [read(k) for k in indices])[0]  # type: ignore[misc]
    count = sum(map(len, clips))
    return [
        codec.name,
        f"{min(psnr):.1f}",
        f"{np.mean(psnr):.1f}",
        f"{size / count:,.0f}",
        f"{1000 * encoding.processor / count:.2f}",
        f"{1000 * opening.processor / (REPEATS * len(clips)):.2f}",
        f"{1000 * reading.processor / (REPEATS * len(clips)):.2f}",
    ]


def aligned(path: Path, tracker: MediaPipeTracker, most: int) -> list[NDArray[np.uint8]]:
    """Up to `most` crops of a clip, aligned as `dh-prep run` aligns them."""
    frames = list(itertools.islice(read_frames(path), most))
    found = stretches(tracker.track(frames), bridge=5)
    if not found:
        return []
    longest = max(found, key=len)
    matrices = transforms(longest.points, SIZE, "authors")
    return list(crop(frames[longest.frames], matrices, SIZE))


def main(
    folder: Annotated[Path, typer.Argument(help="Talking-head clips.")],
    *,
    most: Annotated[int, typer.Option("--frames", min=READ, help="Of each clip.")] = 50,
) -> None:
    """Prints what each way to store frames costs and loses."""
    cv2.setNumThreads(1)
    tracker = MediaPipeTracker(locate("face_landmarker.task"))
    paths = list(find_videos(folder).values())
    clips = [aligned(path, tracker, most) for path in each(paths, "clips")]
    clips = [clip for clip in clips if len(clip) >= READ]
    print(header(["opencv-python", "av"]))
    print(f"{sum(map(len, clips))} crops of {SIZE} x {SIZE} from {len(clips)} clips\n")
    headings = ["stored as", "worst clip, dB", "mean, dB", "bytes a frame"]
    headings += ["encode a frame, ms", "open a clip, ms", f"read {READ} random frames, ms"]
    print(markdown(headings, [measure(codec, clips) for codec in each(CODECS, "codecs")]))


if __name__ == "__main__":
    typer.run(main)
