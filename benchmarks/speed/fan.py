"""How much faster FanTracker is than face-alignment's own loop, on the same weights and frames.

Run it on a folder of talking-head clips; it prints two Markdown tables. The weights are those of
`pipeline.weights` where they are at hand. Where not, they are random, and what a search is taken to
have found, when S3FD has done its work, are the faces that MediaPipe's detector sees in that frame:
both sides then have the work that they have with the published weights. Frames lie in memory before
the clock starts, and each clip goes through all ways in turn.
"""

from __future__ import annotations

import itertools
import shutil
import tempfile
import time
import zipfile
from collections import defaultdict
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import cv2
import numpy as np
import torch
import typer
from face_alignment import FaceAlignment, LandmarksType
from face_alignment.detection.sfd.net_s3fd import s3fd
from face_alignment.models import FAN

from benchmarks.clips.pairs import find_videos
from benchmarks.speed.report import header, markdown
from pipeline.faces.blazeface import FaceDetector
from pipeline.faces.fan import FanTracker, view
from pipeline.faces.s3fd import FaceFinder, Precision
from pipeline.media import read_frames
from pipeline.progress import progress
from pipeline.weights import find, locate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    Frame = NDArray[np.uint8]
    Clip = list[Frame]
    Faces = dict[int, NDArray[np.float64]]  # by id of the frame, (N, 5) x0 y0 x1 y1 score

DETECTOR, LANDMARKS = "s3fd-619a316812.pth", "2DFAN4-11f355bf06.pth.tar"
_FACE = 150  # side of the box in which FAN by itself is timed, pixels
_REPEATS = 4

T = TypeVar("T")


@dataclass(frozen=True)
class Way:
    """A way to get landmarks.

    Attributes:
        name: as the tables call it.
        track: a clip to the number of its frames with a face.
        search: finds the faces of a frame.
        locate: finds the landmarks of `_REPEATS` copies of a frame, in a box.
    """

    name: str
    track: Callable[[Clip], int]
    search: Callable[[Frame], object]
    locate: Callable[[Frame, NDArray[np.float64]], object]


def theirs(paths: tuple[Path, Path], faces: Faces, *, flip_input: bool) -> Way:
    """face-alignment as its constructor makes it, frame by frame, on the largest face."""
    torch.hub.set_dir(paths[1].parents[1])
    package = FaceAlignment(
        LandmarksType.TWO_D,
        device="cpu",
        flip_input=flip_input,
        face_detector_kwargs={"path_to_detector": str(paths[0])},
        compile=False,
    )
    search = told(package.face_detector.detect_from_image, faces)

    def track(clip: Clip) -> int:
        found = 0
        for frame in clip:
            boxes = search(frame)
            if len(boxes):
                largest = max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
                package.get_landmarks_from_image(frame, detected_faces=[largest])
                found += 1
        return found

    def locate_all(frame: Frame, box: NDArray[np.float64]) -> None:
        for _ in range(_REPEATS):
            package.get_landmarks_from_image(frame, detected_faces=[box])

    return Way("face-alignment", track, search, locate_all)


def ours(paths: tuple[Path, Path], precision: Precision, faces: Faces, *, flip_input: bool) -> Way:
    """FanTracker as it comes, but for the precision."""
    tracker = FanTracker(*paths, flip_input=flip_input, precision=precision)
    finder: Any = tracker._finder  # noqa: SLF001 - what it finds is not for others to choose
    finder.detect = told(finder.detect, faces)

    def track(clip: Clip) -> int:
        return int(tracker.track(clip).found.sum())

    def locate_all(frame: Frame, box: NDArray[np.float64]) -> object:
        return tracker.points([view(frame, box) for _ in range(_REPEATS)])

    search = FaceFinder(paths[0], precision=precision).detect
    return Way(f"FanTracker {precision}", track, search, locate_all)


@dataclass(frozen=True)
class Cost:
    """Seconds of processor time, and by the clock."""

    processor: float = 0.0
    clock: float = 0.0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.processor + other.processor, self.clock + other.clock)


def timed(work: Callable[[], T]) -> tuple[Cost, T]:
    """What one run of `work` takes, and its result."""
    clock, processor = time.perf_counter(), time.process_time()
    result = work()
    return Cost(time.process_time() - processor, time.perf_counter() - clock), result


def told(search: Callable[[Frame], Any], faces: Faces) -> Callable[[Frame], Any]:
    """A search that does its work and finds what it is told, if it is told anything."""

    def found(frame: Frame) -> Any:
        own = search(frame)
        return faces.get(id(frame), own)

    return found


def faces_of(clips: Sequence[Clip]) -> Faces:
    """What MediaPipe's detector sees in each frame by itself."""
    with zipfile.ZipFile(locate("face_landmarker.task")) as archive:
        detector = FaceDetector(archive.read("face_detector.tflite"))
    return {
        id(frame): np.array([[*face.box, face.score] for face in detector.search(frame)]).reshape(
            -1, 5
        )
        for frame in itertools.chain.from_iterable(clips)
    }


def blind_detector() -> dict[str, torch.Tensor]:
    """S3FD's weights, random, but that no face is ever found: sorting out thousands takes time."""
    state = s3fd().state_dict()
    for name, value in state.items():
        if "_mbox_" in name:
            value.zero_()
        if name.endswith("_mbox_conf.bias"):
            value[-1] = -20.0  # the score of a face; those of background are the ones before
    return state


def weights(folder: Path) -> tuple[tuple[Path, Path], bool]:
    """Both files, where the package looks for them too, and whether they are the published ones."""
    folder = folder / "checkpoints"
    folder.mkdir()
    paths = folder / DETECTOR, folder / LANDMARKS
    detector, landmarks = find(DETECTOR), find(LANDMARKS)
    if detector and landmarks:
        shutil.copyfile(detector, paths[0])
        shutil.copyfile(landmarks, paths[1])
        return paths, True
    torch.manual_seed(0)
    torch.save(blind_detector(), paths[0])
    torch.save(FAN(4).state_dict(), paths[1])
    return paths, False


def clip_row(name: str, clips: Sequence[list[Cost]], frames: int) -> list[str]:
    """A row of the first table: what each way took, over several clips."""
    totals = [sum(column, Cost()) for column in zip(*clips, strict=True)]
    row = [name, str(frames), f"{1000 * totals[0].processor / frames:.0f}"]
    for total in totals[1:]:
        row.append(f"{1000 * total.processor / frames:.0f}")
        row.append(f"{totals[0].processor / total.processor:.1f}")
        row.append(f"{totals[0].clock / total.clock:.1f}")
    return row


def part_rows(ways: Sequence[Way], clips: Sequence[Clip]) -> list[list[str]]:
    """The second table: S3FD a search and FAN a frame, on the first frame of every clip."""
    box = np.array([40.0, 40.0, 40.0 + _FACE, 40.0 + _FACE])
    searches: dict[str, Cost] = defaultdict(Cost)
    landmarks: dict[str, Cost] = defaultdict(Cost)
    for clip, way in itertools.product(clips, ways):
        searches[way.name] += timed(partial(way.search, clip[0]))[0]
        landmarks[way.name] += timed(partial(way.locate, clip[0], box))[0]
    return [
        [name] + [f"{1000 * costs[way.name].processor / count:.0f}" for way in ways]
        for name, costs, count in (
            ("S3FD, a search", searches, len(clips)),
            ("FAN, a frame", landmarks, len(clips) * _REPEATS),
        )
    ]


def main(
    folder: Annotated[Path, typer.Argument(help="Talking-head clips.")],
    *,
    most: Annotated[int, typer.Option("--frames", min=2, help="Of each clip.")] = 21,
    clips_per_size: Annotated[int, typer.Option(min=1, help="Clips of each resolution.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Of torch, on both sides.")] = 2,
    flip: Annotated[
        bool, typer.Option("--flip", help="Mirrored crops too, on both sides.")
    ] = False,
) -> None:
    """Prints what a frame costs with face-alignment and with FanTracker, by resolution."""
    cv2.setNumThreads(1)
    torch.set_num_threads(threads)
    by_size: dict[tuple[int, int], list[Clip]] = defaultdict(list)
    for path in find_videos(folder).values():
        clip = list(itertools.islice(read_frames(path), most))
        same = by_size[clip[0].shape[1], clip[0].shape[0]]
        if len(same) < clips_per_size:
            same.append(clip)
    clips = list(itertools.chain.from_iterable(by_size.values()))
    command = f"python benchmarks/speed/fan.py {folder} --frames {most}"
    command += f" --clips-per-size {clips_per_size} --threads {threads}{' --flip' * flip}"
    print(header(command, ["torch", "face-alignment"]))
    with tempfile.TemporaryDirectory(prefix="dh-fan-") as temporary:
        paths, published = weights(Path(temporary))
        faces = {} if published else faces_of(clips)
        ways = [theirs(paths, faces, flip_input=flip)]
        ways += [ours(paths, kind, faces, flip_input=flip) for kind in ("float32", "bfloat16")]
    for way in ways:
        way.track(clips[0][:1])  # the first run compiles and loads what later ones find
    costs: dict[tuple[int, int], list[list[Cost]]] = defaultdict(list)
    found = [0 for _ in ways]
    with progress("clips", len(clips)) as step:
        for size in sorted(by_size):
            for clip in by_size[size]:
                taken = [timed(partial(way.track, clip)) for way in ways]
                costs[size].append([cost for cost, _ in taken])
                found = [before + count for before, (_, count) in zip(found, taken, strict=True)]
                step()
    frames = sum(map(len, clips))
    origin = "Published weights." if published else "Random weights; faces as MediaPipe finds them."
    print(f"{origin} Frames with a face, of {frames}: {', '.join(map(str, found))}.\n")
    headings = ["resolution", "frames", "face-alignment, ms"]
    for way in ways[1:]:
        headings += [f"{way.name}, ms", "times as fast", "by the clock"]
    rows = [
        clip_row(f"{w} x {h}", costs[w, h], sum(map(len, by_size[w, h]))) for w, h in sorted(costs)
    ]
    rows.append(clip_row("all", list(itertools.chain.from_iterable(costs.values())), frames))
    print(markdown(headings, rows))
    print()
    print(markdown(["ms", *(way.name for way in ways)], part_rows(ways, clips)))


if __name__ == "__main__":
    typer.run(main)
