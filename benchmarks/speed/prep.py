"""Speed of preparation, beside its floor and a usual script, on the same clips in one run.

Prints Markdown: frames a second, and where the time of dh-prep goes. Seconds are the clock's,
medians of rounds in which all take turns: keep the machine quiet.
"""

import itertools
import statistics
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import pandas as pd
import torch
import typer
from numpy.typing import NDArray

from benchmarks.clips.pairs import find_videos
from benchmarks.speed.fan import face_alignment
from benchmarks.speed.harness import each, header, load, markdown, run_command, spread, timed
from pipeline.dataset.shards import DATASET_FILE
from pipeline.faces.alignment import STABLE_POINTS, TEMPLATE
from pipeline.faces.geometry import similarity
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import FPS, read_frames
from pipeline.weights import locate

Face = tuple[NDArray[np.uint8], NDArray[np.float32]]  # a frame and the (68, 2) landmarks in it

SIZE = 128
CHUNK = 250  # frames that lie in memory before the clock starts
TINY_FRAMES = 15  # of a clip whose run is all start-up; dh-prep skips what is below 10
CLIPS_PER_SHARD = 4  # so that neither worker waits long for the other at the end
WORKERS = (1, 2)
WHOLE, STEADY = "whole command", "without start-up"
FLOOR = "floor: landmark networks, frames in memory, one thread"
USUAL = "usual script: S3FD, FAN, warp, write; frames in memory"


@dataclass
class Timings:
    """Frames a second of everything timed, a number a round, and the rows of dh-prep's clips."""

    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[int, list[pd.DataFrame]] = field(default_factory=lambda: defaultdict(list))
    frames: int = 0  # of all clips

    def rate(self, name: str) -> float:
        """The median of the rounds."""
        return statistics.median(self.rates[name])


def prep(workers: int, part: str) -> str:
    """Name of a run in the tables, the whole of it or without its start-up."""
    return f"dh-prep, {workers} worker{'s' * (workers > 1)}, {part}"


def run_prep(
    clips: Sequence[Path], workers: int, clips_per_shard: int, end: float | None = None
) -> tuple[float, pd.DataFrame]:
    """Seconds of a whole `dh-prep run` on clips, or on their beginnings, and the rows it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        manifest, out = Path(folder) / "clips.csv", Path(folder) / "data"
        listed = [(f"{k:06d}", path.absolute(), end) for k, path in enumerate(clips)]
        pd.DataFrame(listed, columns=["clip_id", "path", "end"]).to_csv(manifest, index=False)
        command = ["dh-prep", "run", str(manifest)]
        command += [f"--out={out}", f"--workers={workers}", f"--clips-per-shard={clips_per_shard}"]
        cost, _ = run_command(command, accept=(0, 1))  # 1: some clips were unusable
        if not (out / DATASET_FILE).exists():
            raise RuntimeError(f"dh-prep finished no data set of {len(clips)} clips")
        tables = [pd.read_parquet(path) for path in out.glob("shard-*.parquet")]
        return cost.clock, pd.concat(tables)


def time_prep(timings: Timings, clips: Sequence[Path]) -> None:
    """Times whole runs, and runs on a tiny clip for each worker, which are all start-up."""
    smallest = min(clips, key=lambda path: path.stat().st_size)
    for workers in WORKERS:
        start_up, _ = run_prep([smallest] * workers, workers, 1, end=TINY_FRAMES / FPS)
        seconds, rows = run_prep(clips, workers, CLIPS_PER_SHARD)
        steady = (timings.frames - TINY_FRAMES * workers) / (seconds - start_up)
        timings.rates[prep(workers, WHOLE)].append(timings.frames / seconds)
        timings.rates[prep(workers, STEADY)].append(steady)
        timings.rows[workers].append(rows)


def usual_script() -> Callable[[Sequence[Face]], None]:
    """face-alignment, its weights random, frame by frame, then a warp and a file for each frame."""
    with tempfile.TemporaryDirectory() as weights:
        networks, _ = face_alignment(Path(weights))

    def run(faces: Sequence[Face]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for index, (frame, points) in enumerate(faces):
                networks.face_detector.detect_from_image(frame.copy())
                box = np.array([*points.min(0), *points.max(0), 1], np.float64)
                networks.get_landmarks_from_image(frame, [box])
                matrix = similarity(points[list(STABLE_POINTS)], TEMPLATE * SIZE)
                crop = cv2.warpAffine(frame, matrix, (SIZE, SIZE))
                cv2.imwrite(f"{folder}/{index}.png", crop[..., ::-1])

    return run


def time_networks(
    timings: Timings, clips: Sequence[Path], tracker: MediaPipeTracker, most: int
) -> list[Face]:
    """Times the landmark networks and counts the frames; returns a face of `most` clips."""
    timings.frames, seconds = 0, 0.0
    faces: dict[Path, Face] = {}
    chosen = spread(clips, most)
    for path in clips:
        stream = read_frames(path)
        while chunk := list(itertools.islice(stream, CHUNK)):
            cost, track = timed(partial(tracker.track, chunk))
            timings.frames, seconds = timings.frames + len(chunk), seconds + cost.clock
            if path in chosen and track.found.any():
                first = int(track.found.argmax())
                faces[path] = chunk[first], track.points[first]
    timings.rates[FLOOR].append(timings.frames / seconds)
    return list(faces.values())


def rate_rows(timings: Timings) -> list[list[str]]:
    """Frames a second, and ratios to the floor and to the usual script."""
    rows = []
    for name in [*(prep(n, p) for n in WORKERS for p in (WHOLE, STEADY)), FLOOR, USUAL]:
        rate, floor, usual = (timings.rate(other) for other in (name, FLOOR, USUAL))
        rows.append([name, f"{rate:.1f}", f"{rate / floor:.2f}", f"{rate / usual:.1f}"])
    return rows


def stage_rows(timings: Timings) -> list[list[str]]:
    """The ms a frame of a worker by stage, and the rest, by number of workers."""
    columns: dict[str, list[float]] = defaultdict(list)
    for workers in WORKERS:
        sums = pd.concat(timings.rows[workers]).filter(regex="^seconds_").sum()
        spent = 1000 * sums / timings.frames / len(timings.rows[workers])
        total = 1000 * workers / timings.rate(prep(workers, STEADY))
        for name, value in spent.items():
            columns[str(name).removeprefix("seconds_")].append(value)
        columns["hashing, packing, tar, rows, Ray, waiting at the end"].append(total - spent.sum())
        columns["all without start-up"].append(total)
        columns["start-up"].append(1000 * workers / timings.rate(prep(workers, WHOLE)) - total)
    columns["for comparison: the floor"] = [1000 / timings.rate(FLOOR)] * len(WORKERS)
    return [[name, *(f"{value:.2f}" for value in values)] for name, values in columns.items()]


def main(
    folder: Annotated[Path, typer.Argument(help="Talking-head clips.")],
    *,
    most: Annotated[int | None, typer.Option("--clips", min=2, help="Spread evenly.")] = None,
    frames_for_slow: Annotated[int, typer.Option(min=1, help="For the usual script.")] = 20,
    repeat: Annotated[int, typer.Option(min=1, help="Rounds.")] = 3,
) -> None:
    """Prints the speed of preparation beside its floor and a usual script."""
    cv2.setNumThreads(1)
    torch.set_num_threads(len(WORKERS))
    clips = spread(list(find_videos(folder).values()), most)
    tracker, usual = MediaPipeTracker(locate("face_landmarker.task")), usual_script()
    print(header(["ai-edge-litert", "av", "face-alignment"]))
    usual(time_networks(Timings(), clips[:1], tracker, 1))  # the first frame loads and allocates
    timings = Timings()
    for _ in each(range(repeat), "rounds"):
        faces = time_networks(timings, clips, tracker, frames_for_slow)
        cost, _ = timed(partial(usual, faces))
        timings.rates[USUAL].append(len(faces) / cost.clock)
        time_prep(timings, clips)
    gains = [timings.rate(prep(2, part)) / timings.rate(prep(1, part)) for part in (WHOLE, STEADY)]
    print(f"{len(clips)} clips, {timings.frames} frames, {len(faces)} for the usual script;")
    print(f"{repeat} rounds; {load()} at the end\n")
    print(markdown(["what", "frames/s", "/ floor", "/ usual script"], rate_rows(timings)))
    print(f"\n2 workers against 1: {gains[0]:.2f} whole, {gains[1]:.2f} without start-up\n")
    print(markdown(["ms a frame, by workers", *map(str, WORKERS)], stage_rows(timings)))


if __name__ == "__main__":
    typer.run(main)
