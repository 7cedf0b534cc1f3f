"""Our scene cuts against PySceneDetect's, on real clips.

Joins the beginnings of real clips, so that every cut's place is known, and changes single shots in
ways that make no cut. All detectors get the same frames. Prints Markdown; needs scenedetect.

    python benchmarks/studies/cuts.py SHARED_DATA
"""

import io
import itertools
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import av
import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.clips.pairs import find_videos
from benchmarks.speed.harness import header, markdown, spread, timed
from pipeline.media import FPS, read_frames
from pipeline.media.scene_cuts import CutDetector
from pipeline.progress import progress

Shot = list[NDArray[np.uint8]]  # (SIDE, SIDE, 3) RGB each
Cuts = Callable[[Shot], list[int]]

SIDE = 256  # pixels; PySceneDetect shrinks frames to about this by itself
MOST = 60  # frames of a shot that is joined


@dataclass
class Score:
    """What a detector found, how often it was wrong, and how long it took.

    `by_group` holds of every join whether its cut was found, of every single shot its false cuts.
    """

    hits: int = 0
    misses: int = 0
    false: int = 0
    seconds: float = 0.0
    frames: int = 0
    by_group: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, group: str, detect: Cuts, shot: Shot, truth: set[int]) -> None:
        """Runs a detector on a shot whose cuts are known."""
        cost, found = timed(lambda: set(detect(shot)))
        self.seconds, self.frames = self.seconds + cost.clock, self.frames + len(shot)
        self.hits += len(truth & found)
        self.misses += len(truth - found)
        self.false += len(found - truth)
        self.by_group[group].append(len(truth & found) if truth else len(found))


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
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="matroska") as container:
        options = {"crf": "40", "x264-params": "keyint=12:min-keyint=12:scenecut=0"}
        stream: Any = container.add_stream("libx264", rate=Fraction(FPS), options=options)
        stream.width = stream.height = SIDE
        for frame in shot:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as read:
        return [np.asarray(f.to_ndarray(format="rgb24"), np.uint8) for f in read.decode(video=0)]


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
    scores = {name: Score() for name in detectors}
    joined = list(joins(data, pairs))
    paths = spread(sorted(find_videos(data / "clips").values()), most)
    frames = 0
    with progress("shots", len(joined) + len(paths)) as step:
        for group, a, b in joined:
            before, after = read_shot(a, MOST), read_shot(b, MOST)
            for name, score in scores.items():
                score.add(f"found: {group}", detectors[name], [*before, *after], {len(before)})
            step()
        rates = list(zip(*(rates_of(score) for score in scores.values()), strict=True))
        for path in paths:
            shot = read_shot(path, None)
            for change, changed in changes().items():
                other = changed(shot)
                frames += len(other)
                for name, score in scores.items():
                    score.add(f"false cuts: {change}", detectors[name], other, set())
            step()
    print(f"{len(joined)} joins; {len(paths)} shots without a cut, {frames / FPS / 60:.0f} minutes")
    print("with their changes. A cut counts as found if it is found to the frame.\n")
    rows = [[name, *row] for name, row in zip(("precision", "recall", "F1"), rates, strict=True)]
    for group in next(iter(scores.values())).by_group:
        cells = [score.by_group[group] for score in scores.values()]
        found = group.startswith("found")
        rows.append(
            [group, *(f"{100 * np.mean(c):.1f} %" if found else f"{sum(c)}" for c in cells)]
        )
    rows.append(["ms a frame", *(f"{1e3 * s.seconds / s.frames:.2f}" for s in scores.values())])
    print(markdown(["", *scores], rows))


def rates_of(score: Score) -> list[str]:
    """Precision, recall and F1 as cells."""
    precision = score.hits / max(1, score.hits + score.false)
    recall = score.hits / max(1, score.hits + score.misses)
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return [f"{value:.3f}" for value in (precision, recall, f1)]


if __name__ == "__main__":
    typer.run(main)
