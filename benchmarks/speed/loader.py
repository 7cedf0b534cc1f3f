"""Training frames a second: shards read as a stream, against random access into video files.

Run it on a data set of dh-prep; it prints Markdown. The usual way is a map-style data set over one
mp4 a clip: for each sample OpenCV opens the file and seeks to the target, the identity and two
motion frames, and the speech features come from an array in memory. Those files are written here
from the same crops (H.264, a key frame every 12), so that both ways give the same pictures.
"""

from __future__ import annotations

import itertools
import os
import shlex
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cv2
import numpy as np
import torch
import typer
from torch.utils.data import DataLoader, Dataset

from benchmarks.speed.report import header, markdown
from model.config.presets import preset as named
from model.data.stream import Clips, Lanes, batches
from model.data.training_frame import as_tensor, speech_windows
from pipeline.dataset.shards import read_samples
from pipeline.media import write_video

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from model.config.presets import Preset

MB = 1e6


class VideoFiles(Dataset[dict[str, Any]]):
    """The usual way: every sample opens a video and seeks in it.

    Args:
        videos: (file, (T, F) speech features) of each clip.
        size: side of the pictures.
        length: samples of an epoch.
    """

    def __init__(
        self, videos: list[tuple[str, NDArray[np.float32]]], size: int, length: int
    ) -> None:
        self._videos, self._size, self._length = videos, size, length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, Any]:
        rng = np.random.default_rng(index)
        path, speech = self._videos[int(rng.integers(len(self._videos)))]
        target, identity = rng.integers(2, len(speech)), rng.integers(len(speech))
        video = cv2.VideoCapture(path)
        frames = [self._read(video, k) for k in (target - 2, target - 1, target, identity)]
        video.release()
        return {"frames": torch.stack(frames), "speech": speech_windows(speech, 2)[target]}

    def _read(self, video: cv2.VideoCapture, index: np.signedinteger[Any]) -> torch.Tensor:
        video.set(cv2.CAP_PROP_POS_FRAMES, int(index))
        ok, frame = video.read()
        if not ok:
            raise RuntimeError(f"frame {index} does not read")
        rgb: NDArray[np.uint8] = cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
        return as_tensor(rgb, self._size)


def write_videos(data: Path, folder: Path) -> list[tuple[str, NDArray[np.float32]]]:
    """The crops of the training split as mp4 files, and the features of each."""
    videos = []
    for sample in read_samples(data, "train"):
        path = folder / f"{sample.key}.mp4"
        write_video(path, list(sample.frames))
        videos.append((str(path), sample.speech))
    return videos


def usual(
    videos: list[tuple[str, NDArray[np.float32]]], chosen: Preset, readers: int
) -> Iterator[Any]:
    """Batches of the usual way."""
    size, batch = chosen.unet.image_size, chosen.train.batch_size
    return iter(
        DataLoader(
            VideoFiles(videos, size, 10**9),
            batch_size=batch,
            num_workers=readers,
            prefetch_factor=4 if readers else None,
            multiprocessing_context="spawn" if readers else None,
        )
    )


def ours(data: Path, chosen: Preset, readers: int) -> Iterator[Any]:
    """Batches of dh-train."""
    rows = chosen.train.batch_size
    lanes = Lanes(Clips.of(data), range(rows), rows, chosen.unet, chosen.train, seed=0)
    return batches(lanes, readers=readers, device=torch.device("cpu"))


def rate(loader: Iterator[Any], count: int, rows: int) -> float:
    """Samples a second over `count` batches, after as many to warm up as are read ahead."""
    for _ in itertools.islice(loader, 12):
        pass
    begin = time.perf_counter()
    for _ in itertools.islice(loader, count):
        pass
    return count * rows / (time.perf_counter() - begin)


def resident() -> float:
    """Memory of this process now, in MB."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / MB


def main(
    data: Annotated[Path, typer.Argument(help="A data set of dh-prep.")],
    *,
    preset: Annotated[str, typer.Option(help="Whose frames and batches.")] = "grid",
    seconds: Annotated[float, typer.Option(help="About, of each measurement.")] = 10.0,
    repeat: Annotated[int, typer.Option(min=1, help="Times, in turns.")] = 3,
) -> None:
    """Prints samples a second of both ways, side by side, and the memory of ours."""
    cv2.setNumThreads(1)
    chosen = named(preset)
    rows = chosen.train.batch_size
    print(header(f"python {shlex.join(sys.argv)}", ["torch", "opencv-python", "av"]))
    table = []
    with tempfile.TemporaryDirectory() as folder:
        videos = write_videos(data, Path(folder))
        for readers in (0, 1):
            rates: dict[str, list[float]] = {"usual": [], "ours": []}
            for _ in range(repeat):
                for name, guess in (("usual", 60), ("ours", 3000)):
                    loader = (
                        usual(videos, chosen, readers)
                        if name == "usual"
                        else ours(data, chosen, readers)
                    )
                    count = max(3, round(seconds * guess / rows))
                    rates[name].append(rate(loader, count, rows))
                    del loader
            a, b = (statistics.median(rates[name]) for name in ("usual", "ours"))
            table.append([str(readers), f"{a:.0f}", f"{b:.0f}", f"{b / a:.1f} x"])
    size = chosen.unet.image_size
    print(f"{len(videos)} clips, {size} x {size}, batches of {rows}, median of {repeat} turns\n")
    print(markdown(["readers", "video files, samples/s", "shards, samples/s", "ratio"], table))
    print()
    loader = ours(data, chosen, 0)
    memory = []
    for _ in range(4):
        for _ in itertools.islice(loader, 500):
            pass
        memory.append(f"{resident():.0f}")
    print(
        markdown(
            ["batches read in this process", "500", "1000", "1500", "2000"],
            [["resident, MB", *memory]],
        )
    )


if __name__ == "__main__":
    typer.run(main)
