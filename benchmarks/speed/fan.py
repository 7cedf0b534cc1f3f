"""Speed of FanTracker against face-alignment's own loop, on the same weights and frames.

The weights are those of `pipeline.weights` where they are at hand. Where not, they are random, and
a search, once S3FD has done its work, returns the faces that MediaPipe's detector sees in that
frame: both sides then have the work that they have with the published weights. Frames lie in memory
before the clock starts, and each clip goes through all ways in turn. Prints Markdown.
"""

import itertools
import shutil
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import torch
import typer
from numpy.typing import NDArray

from benchmarks.clips.pairs import find_videos
from benchmarks.speed.harness import Cost, header, markdown, timed
from pipeline.faces.fan import FanTracker
from pipeline.faces.networks.blazeface import FaceDetector
from pipeline.faces.networks.s3fd import Precision
from pipeline.media import read_frames
from pipeline.progress import progress
from pipeline.weights import find, locate

Frame = NDArray[np.uint8]
Frames = list[Frame]
Way = Callable[[Frames], int]  # a clip to the number of its frames with a face
Faces = dict[int, NDArray[np.float64]]  # by id of the frame, (N, 5) x0 y0 x1 y1 score

DETECTOR, LANDMARKS = "s3fd-619a316812.pth", "2DFAN4-11f355bf06.pth.tar"


def blind_detector() -> dict[str, torch.Tensor]:
    """Random weights of S3FD that find no face: sorting out thousands of boxes takes time."""
    from face_alignment.detection.sfd.net_s3fd import s3fd

    state: dict[str, torch.Tensor] = s3fd().state_dict()
    for name, value in state.items():
        if "_mbox_" in name:
            value.zero_()
        if name.endswith("_mbox_conf.bias"):
            value[-1] = -20.0  # the score of a face; those of background are the ones before
    return state


def write_weights(folder: Path) -> tuple[tuple[Path, Path], bool]:
    """Writes both files where face-alignment looks for them.

    Returns:
        The files, and whether they are the published ones.
    """
    from face_alignment.models import FAN

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


def face_alignment(folder: Path | None = None) -> tuple[Any, tuple[Path, Path], bool]:
    """The package as its constructor makes it, and what `write_weights` returns."""
    from face_alignment import FaceAlignment, LandmarksType

    with tempfile.TemporaryDirectory() as temporary:
        paths, published = write_weights(folder or Path(temporary))
        torch.hub.set_dir(paths[0].parents[1])
        detector = {"path_to_detector": str(paths[0])}
        package = FaceAlignment(
            LandmarksType.TWO_D, device="cpu", compile=False, face_detector_kwargs=detector
        )
    return package, paths, published


def theirs(package: Any, faces: Faces) -> Way:
    """face-alignment, frame by frame, on the largest face."""
    search = with_faces(package.face_detector.detect_from_image, faces)

    def track(clip: Frames) -> int:
        found = 0
        for frame in clip:
            boxes = search(frame)
            if len(boxes):
                largest = max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
                package.get_landmarks_from_image(frame, detected_faces=[largest])
                found += 1
        return found

    return track


def ours(paths: tuple[Path, Path], precision: Precision, faces: Faces) -> Way:
    """FanTracker in one precision."""
    tracker = FanTracker(*paths, precision=precision)
    finder: Any = tracker._detector  # noqa: SLF001 - its detections are replaced, its work is not
    finder.detect = with_faces(finder.detect, faces)
    return lambda clip: int(tracker.track(clip).found.sum())


def with_faces(search: Callable[[Frame], Any], faces: Faces) -> Callable[[Frame], Any]:
    """A search that does its work and then returns the given faces of that frame, if any."""

    def found(frame: Frame) -> Any:
        own = search(frame)
        return faces.get(id(frame), own)

    return found


def faces_of(clips: Sequence[Frames]) -> Faces:
    """The faces that MediaPipe's detector sees in each frame by itself."""
    with zipfile.ZipFile(locate("face_landmarker.task")) as archive:
        detector = FaceDetector(archive.read("face_detector.tflite"))
    return {
        id(frame): np.array([[*f.box, f.score] for f in detector.search(frame)]).reshape(-1, 5)
        for frame in itertools.chain.from_iterable(clips)
    }


def clip_row(name: str, clips: Sequence[list[Cost]], frames: int) -> list[str]:
    """A row of the table: the cost of each way, over several clips."""
    totals = [sum(column, Cost()) for column in zip(*clips, strict=True)]
    row = [name, str(frames), f"{1000 * totals[0].processor / frames:.0f}"]
    for total in totals[1:]:
        row.append(f"{1000 * total.processor / frames:.0f}")
        row.append(f"{totals[0].processor / total.processor:.1f}")
        row.append(f"{totals[0].clock / total.clock:.1f}")
    return row


def main(
    folder: Annotated[Path, typer.Argument(help="Talking-head clips.")],
    *,
    most: Annotated[int, typer.Option("--frames", min=2, help="Of each clip.")] = 21,
    clips_per_size: Annotated[int, typer.Option(min=1, help="Clips of each resolution.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Of torch, on both sides.")] = 2,
) -> None:
    """Prints the cost of a frame with face-alignment and with FanTracker, by resolution."""
    cv2.setNumThreads(1)
    torch.set_num_threads(threads)
    by_size: dict[tuple[int, int], list[Frames]] = defaultdict(list)
    for path in find_videos(folder).values():
        clip = list(itertools.islice(read_frames(path), most))
        same = by_size[clip[0].shape[1], clip[0].shape[0]]
        if len(same) < clips_per_size:
            same.append(clip)
    clips = list(itertools.chain.from_iterable(by_size.values()))
    print(header(["torch", "face-alignment"]))
    with tempfile.TemporaryDirectory(prefix="dh-fan-") as temporary:
        package, paths, published = face_alignment(Path(temporary))
        faces = {} if published else faces_of(clips)
        ways = {"face-alignment": theirs(package, faces)}
        for kind in ("float32", "bfloat16"):
            ways[f"FanTracker {kind}"] = ours(paths, kind, faces)
    for track in ways.values():
        track(clips[0][:1])  # the first frame compiles and loads
    costs: dict[tuple[int, int], list[list[Cost]]] = defaultdict(list)
    found = dict.fromkeys(ways, 0)
    with progress("clips", len(clips)) as step:
        for size, clip in ((one, clip) for one in sorted(by_size) for clip in by_size[one]):
            taken = {name: timed(partial(track, clip)) for name, track in ways.items()}
            costs[size].append([cost for cost, _ in taken.values()])
            found = {name: before + taken[name][1] for name, before in found.items()}
            step()
    frames = sum(map(len, clips))
    origin = "Published weights." if published else "Random weights; faces as MediaPipe finds them."
    print(f"{origin} Frames with a face, of {frames}: {', '.join(map(str, found.values()))}.\n")
    headings = ["resolution", "frames", "face-alignment, ms"]
    for name in list(ways)[1:]:
        headings += [f"{name}, ms", "times as fast", "by the clock"]
    rows = [
        clip_row(f"{w} x {h}", costs[w, h], sum(map(len, by_size[w, h]))) for w, h in sorted(costs)
    ]
    rows.append(clip_row("all", list(itertools.chain.from_iterable(costs.values())), frames))
    print(markdown(headings, rows))


if __name__ == "__main__":
    typer.run(main)
