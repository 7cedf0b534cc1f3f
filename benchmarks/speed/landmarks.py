"""How fast and how steady the landmarks are: frames a second, misses and jitter by resolution.

Run it on a folder of talking-head clips; it prints a Markdown table. Frames lie in memory before
the clock starts; one thread, and processor time rather than the clock's.
"""

from __future__ import annotations

import itertools
import time
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import TYPE_CHECKING, Annotated

import cv2
import numpy as np
import typer

from benchmarks.clips.pairs import find_videos
from benchmarks.speed.report import header, markdown
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import read_frames
from pipeline.progress import progress
from pipeline.weights import locate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from pipeline.faces.tracking import Tracker


@dataclass(frozen=True)
class Measurement:
    """One clip: its size as width x height, frames, seconds, frames without a face, jitter in px.

    `jitter` is (N,): of every landmark in every frame whose neighbours have a face too.
    """

    size: tuple[int, int]
    frames: int
    seconds: float
    misses: int
    jitter: NDArray[np.float32]


def measure(tracker: Tracker, path: Path, most: int) -> Measurement:
    """Tracks up to `most` frames of a clip."""
    frames = list(itertools.islice(read_frames(path), most))
    begin = time.process_time()
    track = tracker.track(frames)
    seconds = time.process_time() - begin
    height, width = frames[0].shape[:2]
    misses = int((~track.found).sum())
    return Measurement((width, height), len(frames), seconds, misses, jitter(track.points))


def jitter(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """|p[t] - (p[t - 1] + p[t + 1]) / 2| of (T, 68, 2) points, flat, where all three are known."""
    middle = (points[:-2] + points[2:]) / 2
    distances = np.linalg.norm(points[1:-1] - middle, axis=-1).ravel()
    return distances[~np.isnan(distances)].astype(np.float32)


def row(name: str, clips: Sequence[Measurement]) -> list[str]:
    """A row of the table: several clips together."""
    frames = sum(clip.frames for clip in clips)
    found = np.concatenate([clip.jitter for clip in clips])
    return [
        name,
        str(len(clips)),
        str(frames),
        f"{frames / sum(clip.seconds for clip in clips):.0f}",
        str(sum(clip.misses for clip in clips)),
        f"{np.median(found):.2f}" if len(found) else "-",
    ]


def main(
    folder: Annotated[Path, typer.Argument(help="Talking-head clips.")],
    *,
    most: Annotated[int, typer.Option("--frames", min=3, help="Of each clip.")] = 75,
) -> None:
    """Prints speed, misses and jitter of the default landmarks by resolution."""
    cv2.setNumThreads(1)
    tracker = MediaPipeTracker(locate("face_landmarker.task"))
    paths = list(find_videos(folder).values())
    by_size: dict[tuple[int, int], list[Measurement]] = defaultdict(list)
    with progress("clips", len(paths)) as step:
        measure(tracker, paths[0], most)  # the first run loads what later ones find loaded
        for path in paths:
            clip = measure(tracker, path, most)
            by_size[clip.size].append(clip)
            step()
    command = f"python benchmarks/speed/landmarks.py {folder} --frames {most}"
    print(header(command, ["ai-edge-litert", "opencv-python"]))
    rows = [row(f"{w} x {h}", by_size[w, h]) for w, h in sorted(by_size)]
    rows.append(row("all", list(itertools.chain.from_iterable(by_size.values()))))
    headings = ["resolution", "clips", "frames", "frames a second", "misses", "jitter, px"]
    print(markdown(headings, rows))


if __name__ == "__main__":
    typer.run(main)
