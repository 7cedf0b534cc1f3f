"""Speed of FanTracker against face-alignment's own loop, on the same weights and frames.

The weights are random, and a search, once S3FD has done its work, returns the faces that
MediaPipe's detector sees in that frame: both sides then have the work that they have with the
published weights. Frames lie in memory before the clock starts, and each clip goes through all ways
in turn. Prints Markdown.
"""

import itertools
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import pandas as pd
import torch
import typer
from numpy.typing import NDArray

from benchmarks.clips.pairs import find_videos
from benchmarks.speed.harness import each, header, markdown, timed
from pipeline.faces.fan import FanTracker
from pipeline.faces.networks.blazeface import FaceDetector
from pipeline.media import read_frames
from pipeline.weights import locate

Frame = NDArray[np.uint8]
Boxes = dict[int, NDArray[np.float64]]  # by id of the frame, (N, 5) x0 y0 x1 y1 score
Way = Callable[[list[Frame]], int]  # a clip to the number of its frames with a face


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


def face_alignment(folder: Path) -> tuple[Any, tuple[Path, Path]]:
    """The package as its constructor makes it, and the files in `folder` that it reads."""
    from face_alignment import FaceAlignment, LandmarksType
    from face_alignment.models import FAN

    checkpoints = folder / "checkpoints"
    checkpoints.mkdir()
    paths = checkpoints / "s3fd-619a316812.pth", checkpoints / "2DFAN4-11f355bf06.pth.tar"
    torch.manual_seed(0)
    torch.save(blind_detector(), paths[0])
    torch.save(FAN(4).state_dict(), paths[1])
    torch.hub.set_dir(folder)
    detector = {"path_to_detector": str(paths[0])}
    package = FaceAlignment(
        LandmarksType.TWO_D, device="cpu", compile=False, face_detector_kwargs=detector
    )
    return package, paths


def with_faces(search: Callable[[Frame], Any], faces: Boxes) -> Callable[[Frame], Any]:
    """A search that does its work and then returns the given faces of that frame, if any."""
    return lambda frame: faces.get(id(frame), search(frame))


def faces_of(clips: Sequence[list[Frame]]) -> Boxes:
    """The faces that MediaPipe's detector sees in each frame by itself."""
    detector = FaceDetector(locate("face_landmarker.task"))
    return {
        id(frame): np.array([[*f.box, f.score] for f in detector.search(frame)]).reshape(-1, 5)
        for frame in itertools.chain.from_iterable(clips)
    }


def fan_ways(clips: Sequence[list[Frame]], folder: Path) -> dict[str, Way]:
    """face-alignment, frame by frame, on the largest face, and FanTracker in each precision."""
    package, paths = face_alignment(folder)
    faces = faces_of(clips)
    search = with_faces(package.face_detector.detect_from_image, faces)

    def theirs(clip: list[Frame]) -> int:
        found = 0
        for frame in clip:
            boxes = search(frame)
            if len(boxes):
                largest = max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
                package.get_landmarks_from_image(frame, detected_faces=[largest])
                found += 1
        return found

    def ours(tracker: FanTracker, clip: list[Frame]) -> int:
        return int(tracker.track(clip).found.sum())

    ways: dict[str, Way] = {"face-alignment": theirs}
    for precision in ("float32", "bfloat16"):
        tracker = FanTracker(*paths, precision=precision)
        finder: Any = tracker._detector  # noqa: SLF001 - its detections are replaced, its work is not
        finder.detect = with_faces(finder.detect, faces)
        ways[f"FanTracker {precision}"] = partial(ours, tracker)
    return ways


def main(
    folder: Annotated[Path, typer.Argument(help="Talking-head clips.")],
    *,
    most: Annotated[int, typer.Option("--frames", min=2, help="Of each clip.")] = 21,
    clips_per_size: Annotated[int, typer.Option(min=1, help="Clips of each resolution.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="Of torch, on both sides.")] = 2,
) -> None:
    """Prints the processor time of a frame with face-alignment and FanTracker, by resolution."""
    cv2.setNumThreads(1)
    torch.set_num_threads(threads)
    by_size: dict[str, list[list[Frame]]] = defaultdict(list)
    for path in find_videos(folder).values():
        clip = list(itertools.islice(read_frames(path), most))
        same = by_size[f"{clip[0].shape[1]} x {clip[0].shape[0]}"]
        if len(same) < clips_per_size:
            same.append(clip)
    print(header(["torch", "face-alignment"]))
    clips = list(itertools.chain.from_iterable(by_size.values()))
    with tempfile.TemporaryDirectory(prefix="dh-fan-") as temporary:
        ways = fan_ways(clips, Path(temporary))
    for track in ways.values():
        track(clips[0][:1])  # the first frame compiles and loads
    rows: list[dict[str, Any]] = []
    for size, clip in each([(size, c) for size, same in by_size.items() for c in same], "clips"):
        for way, track in ways.items():
            cost, found = timed(partial(track, clip))
            row = {"size": size, "way": way, "ms": 1000 * cost.processor}
            rows.append(row | {"frames": len(clip), "found": found})
    table = pd.DataFrame(rows)
    cells = []
    for name, group in pd.concat([table, table.assign(size="all")]).groupby("size", sort=False):
        sums = group.groupby("way", sort=False)[["ms", "frames", "found"]].sum()
        of_way = sums["ms"] / sums["frames"]
        cells.append([str(name), *(f"{ms:.0f} ({of_way.iloc[0] / ms:.1f} x)" for ms in of_way)])
    counts = ", ".join(map(str, sums["found"]))  # the last group is all clips
    print(f"Frames with a face, of {sums['frames'].iloc[0]}: {counts}.\n")
    print(markdown(["ms a frame", *ways], cells))


if __name__ == "__main__":
    typer.run(main)
