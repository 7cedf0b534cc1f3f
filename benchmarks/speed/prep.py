"""How fast preparation is, beside its floor and the usual ways, on the same clips in one run.

Run it on a folder of talking-head clips; it prints Markdown: rates, and where the time of dh-prep
goes. Seconds are the clock's, medians of rounds in which all take turns: keep the machine quiet.
"""

from __future__ import annotations

import importlib
import inspect
import itertools
import math
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import cv2
import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from benchmarks.clips.pairs import find_videos
from benchmarks.speed.report import header, markdown
from pipeline.dataset.shards import DATASET_FILE
from pipeline.faces.alignment import STABLE_POINTS, TEMPLATE
from pipeline.faces.geometry import similarity
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import FPS, read_frames
from pipeline.progress import progress
from pipeline.weights import locate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Frame = NDArray[np.uint8]  # (H, W, 3) RGB
Face = tuple[Frame, NDArray[np.float32]]  # a frame and the (68, 2) landmarks in it
Clock = Callable[[list[Frame]], float]  # does its work on frames and returns the seconds

SIZE = 128
CHUNK = 250  # frames that lie in memory before a clock starts
TINY_FRAMES = 15  # of a clip whose run is all start-up; dh-prep skips what is below 10
CLIPS_PER_SHARD = 4  # so that neither worker waits long for the other at the end
WORKERS = (1, 2)
WHOLE, STEADY = "whole command", "without start-up"
FLOOR = "floor: landmark networks, frames in memory, one thread"
TASK = "MediaPipe's FaceLandmarker, video mode, frames in memory"
HOW = "python3 -m venv V; V/bin/pip install mediapipe==1.2.3; --mediapipe-python V/bin/python"
USUAL = "usual script: S3FD, FAN, warp, write; frames in memory"


@dataclass
class Timings:
    """Frames and seconds of everything timed, by name, and the rows of dh-prep's clips."""

    frames: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    rows: dict[int, list[pd.DataFrame]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, frames: int, seconds: float) -> None:
        """Adds a round."""
        self.frames[name] = frames
        self.seconds[name].append(seconds)

    def rate(self, name: str) -> float:
        """Frames a second, by the median of the rounds; NaN if not measured."""
        return self.frames[name] / statistics.median(self.seconds[name])


def prep(workers: int, part: str) -> str:
    """What a run is called, the whole of it or what it takes beyond a run on tiny clips."""
    return f"dh-prep, {workers} worker{'s' * (workers > 1)}, {part}"


def chunks(path: Path) -> Iterator[list[Frame]]:
    """The frames of a clip, `CHUNK` of them at a time."""
    frames = read_frames(path)
    while chunk := list(itertools.islice(frames, CHUNK)):
        yield chunk


def spread(paths: Sequence[Path], most: int | None) -> list[Path]:
    """All paths, or `most` of them spread evenly."""
    count = min(most or len(paths), len(paths))
    return [paths[k * len(paths) // count] for k in range(count)]


def run_prep(
    clips: Sequence[Path], workers: int, clips_per_shard: int, end: float | None = None
) -> tuple[float, pd.DataFrame]:
    """Seconds of a whole `dh-prep run` on clips, or on their beginnings, and the rows it wrote."""
    with tempfile.TemporaryDirectory() as folder:
        manifest, out = Path(folder) / "clips.csv", Path(folder) / "data"
        listed = [(f"{k:06d}", path.absolute(), end) for k, path in enumerate(clips)]
        pd.DataFrame(listed, columns=["clip_id", "path", "end"]).to_csv(manifest, index=False)
        command = [str(Path(sys.executable).with_name("dh-prep")), "run", str(manifest)]
        command += [f"--out={out}", f"--workers={workers}", f"--clips-per-shard={clips_per_shard}"]
        begin = time.perf_counter()
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        seconds = time.perf_counter() - begin
        if not (out / DATASET_FILE).exists():
            raise RuntimeError(f"{shlex.join(command)} failed:\n{done.stderr}")
        return seconds, pd.concat([pd.read_parquet(path) for path in out.glob("shard-*.parquet")])


def time_prep(timings: Timings, clips: Sequence[Path], frames: int) -> None:
    """Times whole runs, and runs on a tiny clip for each worker, which are all start-up."""
    smallest = min(clips, key=lambda path: path.stat().st_size)
    for workers in WORKERS:
        start_up, _ = run_prep([smallest] * workers, workers, 1, end=TINY_FRAMES / FPS)
        seconds, rows = run_prep(clips, workers, CLIPS_PER_SHARD)
        timings.add(prep(workers, WHOLE), frames, seconds)
        timings.add(prep(workers, STEADY), frames - TINY_FRAMES * workers, seconds - start_up)
        timings.rows[workers].append(rows)


def mediapipe_task(task: str) -> None:
    """Tracks what comes on standard input with MediaPipe's task; prints the seconds of each chunk.

    It runs in an interpreter that has mediapipe, which ours has not, without the rest of this file.
    A chunk is three int32, T H W, then T x H x W x 3 bytes.
    """
    import time

    import numpy as np

    mp: Any = importlib.import_module("mediapipe")
    vision = mp.tasks.vision
    base = mp.tasks.BaseOptions(model_asset_path=task)
    options = vision.FaceLandmarkerOptions(base, running_mode=vision.RunningMode.VIDEO)
    clock = 0
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        while head := sys.stdin.buffer.read(12):
            shape = (*np.frombuffer(head, np.int32).tolist(), 3)
            frames = np.frombuffer(sys.stdin.buffer.read(int(np.prod(shape))), np.uint8)
            begin = time.perf_counter()
            for frame in frames.reshape(shape):
                clock += 40  # ms, as at 25 frames a second
                image = mp.Image(image_format=mp.ImageFormat.SRGB, data=frame)
                landmarker.detect_for_video(image, clock)
            print(time.perf_counter() - begin, flush=True)


@contextmanager
def mediapipe_clock(python: Path, task: Path) -> Iterator[Clock]:
    """MediaPipe's task in another interpreter."""
    head = "from __future__ import annotations\nimport importlib, sys\n"
    source = f"{head}{inspect.getsource(mediapipe_task)}mediapipe_task(sys.argv[1])\n"
    child: Any
    command = [str(python), "-c", source, str(task)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:

        def seconds(frames: list[Frame]) -> float:
            shape = np.array([len(frames), *frames[0].shape[:2]], np.int32)
            child.stdin.writelines([shape.tobytes(), *(frame.tobytes() for frame in frames)])
            child.stdin.flush()
            return float(child.stdout.readline())

        yield seconds


def usual_script() -> Callable[[Sequence[Face]], float]:
    """face-alignment on all cores, frame by frame: a function that returns the seconds it took.

    Its weights are random, put where it keeps what it downloads; box and points are MediaPipe's.
    """
    import torch
    from face_alignment import FaceAlignment, LandmarksType
    from face_alignment.detection.sfd.net_s3fd import s3fd
    from face_alignment.models import FAN

    torch.set_num_threads(os.cpu_count() or 1)
    detector = s3fd().state_dict()
    for name, value in detector.items():
        if "mbox_conf" in name:  # left random it would see thousands of faces: a cost that is none
            value.zero_()
            value[-1] = -20 if name.endswith("bias") else 0  # the last class is the face
    with tempfile.TemporaryDirectory() as folder:
        checkpoints = Path(folder) / "checkpoints"
        checkpoints.mkdir()
        torch.save(detector, checkpoints / "s3fd-619a316812.pth")
        torch.save(FAN(4).state_dict(), checkpoints / "2DFAN4-11f355bf06.pth.tar")
        torch.hub.set_dir(folder)
        networks = FaceAlignment(LandmarksType.TWO_D, device="cpu", compile=False)

    def seconds(faces: Sequence[Face]) -> float:
        with tempfile.TemporaryDirectory() as folder:
            begin = time.perf_counter()
            for index, (frame, points) in enumerate(faces):
                networks.face_detector.detect_from_image(frame.copy())
                box = np.array([*points.min(0), *points.max(0), 1], np.float64)
                networks.get_landmarks_from_image(frame, [box])
                matrix = similarity(points[list(STABLE_POINTS)], TEMPLATE * SIZE)
                crop = cv2.warpAffine(frame, matrix, (SIZE, SIZE))
                cv2.imwrite(f"{folder}/{index}.png", crop[..., ::-1])
            return time.perf_counter() - begin

    return seconds


def time_networks(
    timings: Timings, clips: list[Path], tracker: MediaPipeTracker, task: Clock | None, most: int
) -> tuple[int, list[Face]]:
    """Times the networks, each chunk by the one and then by the other.

    Returns:
        How many frames there were, and a face of each of `most` clips.
    """
    frames, floor, other = 0, 0.0, 0.0 if task else math.nan
    faces: dict[Path, Face] = {}
    wanted = spread(clips, most)
    for path in clips:
        for chunk in chunks(path):
            begin = time.perf_counter()
            track = tracker.track(chunk)
            floor += time.perf_counter() - begin
            other += task(chunk) if task else 0
            frames += len(chunk)
            if path in wanted and track.found.any():
                first = int(track.found.argmax())
                faces[path] = chunk[first], track.points[first]
    timings.add(FLOOR, frames, floor)
    timings.add(TASK, frames, other)
    return frames, list(faces.values())


def rate_rows(timings: Timings) -> list[list[str]]:
    """What was timed, frames a second, and how often as fast as the floor and the usual script."""
    rows = []
    for name in [*(prep(n, p) for n in WORKERS for p in (WHOLE, STEADY)), FLOOR, TASK, USUAL]:
        rate, floor, usual = (timings.rate(other) for other in (name, FLOOR, USUAL))
        cells = [f"{rate:.1f}", f"{rate / floor:.2f}", f"{rate / usual:.1f}"]
        rows.append([name, *(cell.replace("nan", "n/a") for cell in cells)])
    return rows


def stage_rows(timings: Timings) -> list[list[str]]:
    """Where the time of a worker goes: ms a frame by stage, and the rest, by number of workers."""
    columns: dict[str, list[float]] = defaultdict(list)
    for workers in WORKERS:
        rows, frames = pd.concat(timings.rows[workers]), timings.frames[prep(workers, WHOLE)]
        spent = 1000 * rows.filter(regex="^seconds_").sum() / frames / len(timings.rows[workers])
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
    mediapipe_python: Annotated[Path | None, typer.Option(help="It has mediapipe.")] = None,
) -> None:
    """Prints the speed of preparation beside its floor and the usual ways."""
    cv2.setNumThreads(1)
    clips = spread(list(find_videos(folder).values()), most)
    weights = locate("face_landmarker.task")
    tracker, usual, timings = MediaPipeTracker(weights), usual_script(), Timings()
    print(header(f"python {shlex.join(sys.argv)}", ["ai-edge-litert", "av", "face-alignment"]))
    with ExitStack() as stack, progress("rounds", repeat) as step:
        task = None
        if mediapipe_python:
            task = stack.enter_context(mediapipe_clock(mediapipe_python, weights))
        usual(time_networks(Timings(), clips[:1], tracker, task, 1)[1])  # loads what others find
        for _ in range(repeat):
            frames, faces = time_networks(timings, clips, tracker, task, frames_for_slow)
            timings.add(USUAL, len(faces), usual(faces))
            time_prep(timings, clips, frames)
            step()
    gains = [timings.rate(prep(2, part)) / timings.rate(prep(1, part)) for part in (WHOLE, STEADY)]
    print(
        f"{len(clips)} clips, {frames} frames, {len(faces)} of them for the usual script, whose "
        f"weights are random; {repeat} rounds; load {os.getloadavg()[0]:.1f} at the end\n\n"
        f"{markdown(['what', 'frames/s', '/ floor', '/ usual script'], rate_rows(timings))}\n"
        f"\n2 workers against 1: {gains[0]:.2f} whole, {gains[1]:.2f} without start-up\n\n"
        f"{markdown(['ms a frame, by workers', *map(str, WORKERS)], stage_rows(timings))}"
    )
    if not mediapipe_python:
        print(f"\n{TASK}: n/a without --mediapipe-python; {HOW}")


if __name__ == "__main__":
    typer.run(main)
