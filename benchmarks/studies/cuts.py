"""Our scene cuts against PySceneDetect's, on real clips.

Joins the beginnings of real clips, so that every cut's place is known, and changes single shots in
ways that make no cut. All detectors get the same frames. Prints Markdown; needs scenedetect.
"""

import itertools
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import pandas as pd
import typer
from numpy.typing import NDArray

from benchmarks.clips.pairs import find_videos
from benchmarks.speed.harness import header, markdown, spread, timed
from pipeline.media import FPS, read_frames, write_video
from pipeline.media.scene_cuts import CutDetector
from pipeline.progress import progress

Shot = list[NDArray[np.uint8]]  # (SIDE, SIDE, 3) RGB each
Cuts = Callable[[Shot], list[int]]

SIDE = 256  # pixels; PySceneDetect shrinks frames to about this by itself
MOST = 60  # frames of a shot that is joined


def judged(name: str, group: str, detect: Cuts, shot: Shot, truth: set[int]) -> dict[str, Any]:
    """A row of what a detector finds in a shot whose cuts are known, and what it takes."""
    cost, found = timed(lambda: set(detect(shot)))
    counts = {"hits": len(truth & found), "misses": len(truth - found), "false": len(found - truth)}
    row = {"detector": name, "group": group, "seconds": cost.clock, "frames": len(shot)}
    return row | counts


def our_cuts(shot: Shot) -> list[int]:
    """First frames of new shots by `pipeline.media.scene_cuts`."""
    detector = CutDetector()
    for _ in detector.watch(shot):
        pass
    return detector.cuts


def scenedetect_cuts(kind: str, threshold: float, shot: Shot) -> list[int]:
    """The same by PySceneDetect's AdaptiveDetector or ContentDetector."""
    scenedetect = import_module("scenedetect")
    detector = getattr(scenedetect, f"{kind}Detector")(threshold)
    found: list[Any] = []
    for k, frame in enumerate(shot):
        stamp = scenedetect.FrameTimecode(k, float(FPS))
        found += detector.process_frame(stamp, frame[..., ::-1])
    found += detector.post_process(scenedetect.FrameTimecode(len(shot) - 1, float(FPS)))
    return [cut.frame_num for cut in found]


def changes() -> dict[str, Callable[[Shot], Shot]]:
    """Ways to change a shot that make no cut."""

    def lit(gain: Callable[[int, int], float], add: float, shot: Shot) -> Shot:
        gains = [gain(k, len(shot)) for k in range(len(shot))]
        return [
            np.clip(f * g + add * (g > 1.29), 0, 255).astype(np.uint8)
            for f, g in zip(shot, gains, strict=True)
        ]

    return {
        "as it is": lambda shot: shot,
        "double speed": lambda shot: shot[::2],
        "every second frame held": lambda shot: [shot[k // 2 * 2] for k in range(len(shot))],
        "every sixth frame dropped": lambda shot: [f for k, f in enumerate(shot) if k % 6 != 5],
        "flicker": partial(lit, lambda k, _: 1 + 0.2 * np.sin(2.1 * k), 0),
        "lamp switched off": partial(lit, lambda k, n: 1.0 if k < n // 2 else 0.6, 0),
        "fade from black": partial(lit, lambda k, _: min(1.0, k / 12), 0),
        "flash of one frame": partial(lit, lambda k, n: 1.3 if k == n // 2 else 1.0, 100),
        "H.264 at CRF 40, key frame every 12": compressed,
    }


def compressed(shot: Shot) -> Shot:
    """A shot as strong compression leaves it."""
    with tempfile.TemporaryDirectory() as folder:
        write_video(Path(folder) / "shot.mp4", shot, crf=40)
        return list(read_frames(Path(folder) / "shot.mp4"))


def read_shot(path: Path, most: int | None) -> Shot:
    """The first frames of a clip at `SIDE`."""
    frames = itertools.islice(read_frames(path), most)
    return [cv2.resize(f, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for f in frames]


def joins(data: Path, most: int) -> Iterator[tuple[str, Path, Path]]:
    """Pairs of clips to join: of two people, of two in one studio, two takes of one person."""
    with (data / "clips.tsv").open(encoding="utf-8") as file:
        lines = [line.split("\t") for line in file][1:]
    person = {Path(line[0]).name: line[9].split(";")[0] for line in lines}
    groups: dict[str, list[tuple[Path, Path]]] = defaultdict(list)
    for a, b in itertools.permutations(sorted(find_videos(data / "clips").values()), 2):
        grid = a.name.startswith("grid") and b.name.startswith("grid")
        if person[a.name] == person[b.name]:
            groups["two takes of one person"].append((a, b))
        elif grid:
            groups["two people, one studio"].append((a, b))
        elif not (a.name.startswith("grid") or b.name.startswith("grid")):
            groups["two people"].append((a, b))
    for group, pairs in groups.items():
        yield from ((group, a, b) for a, b in spread(pairs, most))


def main(
    data: Annotated[Path, typer.Argument(help="The shared data: clips.tsv and clips/.")],
    most: Annotated[int | None, typer.Option("--clips", min=2, help="Spread evenly.")] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Of each kind that are joined.")] = 200,
) -> None:
    """Precision, recall and F1 over joined clips, false cuts in changed shots, ms a frame."""
    detectors: dict[str, Cuts] = {"ours": our_cuts}
    for kind, threshold in (("Adaptive", 3.0), ("Adaptive", 6.0), ("Content", 27.0)):
        name = f"scenedetect {kind}, {threshold:g}"
        detectors[name] = partial(scenedetect_cuts, kind, threshold)
    print(header(["scenedetect", "opencv-python"]))
    rows = []
    joined = list(joins(data, pairs))
    paths = spread(sorted(find_videos(data / "clips").values()), most)
    with progress("shots", len(joined) + len(paths)) as step:
        for group, a, b in joined:
            before, after = read_shot(a, MOST), read_shot(b, MOST)
            for name, detect in detectors.items():
                shot = [*before, *after]
                rows.append(judged(name, f"found: {group}", detect, shot, {len(before)}))
            step()
        for path in paths:
            shot = read_shot(path, None)
            for change, changed in changes().items():
                other = changed(shot)
                for name, detect in detectors.items():
                    rows.append(judged(name, f"false cuts: {change}", detect, other, set()))
            step()
    found = pd.DataFrame(rows)
    singles = found[found["group"].str.startswith("false")]
    minutes = singles["frames"].sum() / len(detectors) / FPS / 60
    print(f"{len(joined)} joins; {len(paths)} shots without a cut, {minutes:.0f} minutes")
    print("with their changes. A cut counts as found if it is found to the frame.\n")
    print(markdown(["", *detectors], cells(found)))


def cells(found: pd.DataFrame) -> list[list[str]]:
    """Precision, recall and F1 over the joins; by group what is found; ms a frame."""
    joins_only = found[found["group"].str.startswith("found")]
    sums = joins_only.groupby("detector", sort=False)[["hits", "misses", "false"]].sum()
    precision = sums["hits"] / (sums["hits"] + sums["false"])
    recall = sums["hits"] / (sums["hits"] + sums["misses"])
    f1 = 2 * precision * recall / (precision + recall)
    rates = {"precision": precision, "recall": recall, "F1": f1}
    rows = [[name, *(f"{value:.3f}" for value in values)] for name, values in rates.items()]
    for group, part in found.groupby("group", sort=False):
        of = part.groupby("detector", sort=False)
        shares = [f"{100 * value:.1f} %" for value in of["hits"].mean()]
        counts = [str(value) for value in of["false"].sum()]
        rows.append([str(group), *(shares if str(group).startswith("found") else counts)])
    of_all = found.groupby("detector", sort=False)[["seconds", "frames"]].sum()
    each = 1e3 * of_all["seconds"] / of_all["frames"]
    return [*rows, ["ms a frame", *(f"{value:.2f}" for value in each)]]


if __name__ == "__main__":
    typer.run(main)
