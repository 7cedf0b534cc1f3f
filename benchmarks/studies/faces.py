"""What the measures of a face rest on: sharpness, identities by face, landmarks of the default.

`sharpness` softens crops of real clips and asks how well measures rank them; `identities` compares
embeddings of clips whose people are known; `landmarks` gives speed, misses and jitter of
`MediaPipeTracker` by resolution. They print Markdown.
"""

import csv
import itertools
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import cv2
import numpy as np
import typer
from numpy.typing import NDArray
from scipy.spatial.distance import pdist
from skimage.measure import blur_effect

from benchmarks.clips.pairs import find_videos
from benchmarks.speed.harness import each, header, markdown, spread, timed
from pipeline.faces.alignment import crop, transforms
from pipeline.faces.sharpness import sharpness as ours
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import read_frames
from pipeline.sources.identities import faces_of_clips, group
from pipeline.sources.manifest import ManifestRow
from pipeline.weights import locate

Picture = NDArray[np.uint8]  # (S, S, 3) RGB

SIZE = 128
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)
Clips = Annotated[Path, typer.Argument(help="A folder of talking-head clips.")]
Most = Annotated[int | None, typer.Option("--clips", min=2, help="Spread evenly.")]


def enlarged(picture: Picture, factor: int) -> Picture:
    """Shrunk by a factor and enlarged again."""
    small = cv2.resize(picture, None, fx=1 / factor, fy=1 / factor, interpolation=cv2.INTER_AREA)
    large = cv2.resize(small, picture.shape[1::-1], interpolation=cv2.INTER_CUBIC)
    return np.asarray(large, np.uint8)


def moved(picture: Picture, pixels: int, *, down: bool = False) -> Picture:
    """Blurred by motion across, or down."""
    kernel = np.zeros((pixels, pixels), np.float32)
    kernel[pixels // 2] = 1 / pixels
    return np.asarray(cv2.filter2D(picture, -1, kernel.T if down else kernel), np.uint8)


SOFTENED: dict[str, Callable[[Picture], Picture]] = {
    "halved and enlarged": lambda p: enlarged(p, 2),
    "a third and enlarged": lambda p: enlarged(p, 3),
    "Gaussian, 0.7 px": lambda p: np.asarray(cv2.GaussianBlur(p, (0, 0), 0.7), np.uint8),
    "motion by 5 px across": lambda p: moved(p, 5),
    "motion by 5 px down": lambda p: moved(p, 5, down=True),
}
KEPT: dict[str, Callable[[Picture], Picture]] = {
    "half the contrast": lambda p: (p * 0.5 + 64).astype(np.uint8),
    "half the exposure": lambda p: (p * 0.5).astype(np.uint8),
    "JPEG at quality 95": lambda p: np.asarray(
        cv2.imdecode(cv2.imencode(".jpg", p, [cv2.IMWRITE_JPEG_QUALITY, 95])[1], 1), np.uint8
    ),
}


def grey_face(picture: Picture) -> NDArray[np.uint8]:
    """The part of an aligned crop that sharpness is measured in, grey."""
    face = picture[round(0.34 * SIZE) : round(0.8 * SIZE), round(0.26 * SIZE) : round(0.76 * SIZE)]
    return np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), np.uint8)


MEASURES: dict[str, Callable[[Picture], float]] = {
    "frequency of edges (ours)": ours,
    "blur effect (Crete et al. 2007), window of 11": lambda p: -blur_effect(grey_face(p)),
    "the same, window of 3": lambda p: -blur_effect(grey_face(p), h_size=3),
    "variance of the Laplacian": lambda p: float(cv2.Laplacian(grey_face(p), cv2.CV_64F).var()),
}


def ranked_above(sharp: Sequence[float], soft: Sequence[float]) -> float:
    """The chance that a sharp picture's measure is above a softened one's."""
    return float((np.array(sharp)[:, None] > np.array(soft)).mean())


@app.command()
def sharpness(folder: Clips, most: Most = None) -> None:
    """How well measures of sharpness rank crops above softened ones, and what ours gives."""
    tracker = MediaPipeTracker(locate("face_landmarker.task"))
    pictures, eyes = [], []
    for path in spread(list(find_videos(folder).values()), most):
        frames = list(itertools.islice(read_frames(path), 3))  # the third is cropped
        points = tracker.track(frames).points
        if len(frames) == 3 and not np.isnan(points).any():
            pictures.append(next(crop(frames[2:], transforms(points[2:], SIZE, "none"), SIZE)))
            eyes.append(np.linalg.norm(points[2, 36] - points[2, 45]))
    large = [p for p, eye in zip(pictures, eyes, strict=True) if eye > 90]
    print(header(["opencv-python", "scikit-image"]))
    print(
        f"{len(pictures)} crops of {SIZE} px, a clip each; of {len(large)}, over 90 px between the"
    )
    print("eye corners in the source: the chance to rank above a softened one\n")
    rows = []
    for name, measure in MEASURES.items():
        plain = [measure(p) for p in large]
        soft = ([measure(change(p)) for p in large] for change in SOFTENED.values())
        rows.append([name, *(f"{ranked_above(plain, values):.2f}" for values in soft)])
    print(markdown(["measure", *SOFTENED], rows), end="\n\n")
    values = np.array([ours(p) for p in pictures])
    low, middle, high = np.percentile(values, [5, 50, 95])
    described = [["5th percentile", low], ["median", middle], ["95th percentile", high]]
    described += [[n, np.median([ours(f(p)) for p in pictures])] for n, f in SOFTENED.items()]
    for name, change in KEPT.items():
        most_changed = max(abs(ours(change(p)) - ours(p)) for p in pictures)
        described.append([f"the most that changes by {name}", most_changed])
    print(markdown(["sharpness, cycles a pixel", ""], [[n, f"{v:.3f}"] for n, v in described]))


@app.command()
def identities(
    data: Annotated[Path, typer.Argument(help="The shared data: clips.tsv and clips/.")],
    most: Most = None,
) -> None:
    """Distances between faces of clips whose people are known, and which thresholds find them."""
    with (data / "clips.tsv").open(encoding="utf-8") as file:
        lines = spread(list(csv.DictReader(file, delimiter="\t")), most)
    rows = [
        ManifestRow(str(k), str(data.absolute() / line["file"]), "") for k, line in enumerate(lines)
    ]
    found = list(faces_of_clips(rows))
    seen = [k for k, face in enumerate(found) if face is not None]
    people = [lines[k]["notes"].split(";")[0] for k in seen]  # "person 8"
    faces = np.stack([face for face in found if face is not None])
    same = np.array([a == b for a, b in itertools.combinations(people, 2)])
    distances = pdist(faces)
    right = []
    for threshold in np.arange(0.2, 0.7, 0.01):
        pairs = set(zip(group(faces, threshold).tolist(), people, strict=True))
        if len(pairs) == len(set(people)) == len({label for label, _ in pairs}):
            right.append(f"{threshold:.2f}")
    print(header(["dlib-bin", "ai-edge-litert"]))
    print(f"{len(faces)} clips with a face, {len(set(people))} people\n")
    inside, outside = distances[same], distances[~same]
    table = [
        ["clips of one person, the most", inside.max()],
        ["the same, 95 % are below", np.percentile(inside, 95)],
        ["clips of two people, the least", outside.min()],
        ["the same, 99.9 % are above", np.percentile(outside, 0.1)],
    ]
    print(markdown(["distance", ""], [[name, f"{value:.2f}"] for name, value in table]))
    print(f"\nall people without a mistake at: {' '.join(right) or 'none'}")


def jitter(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """|p[t] - (p[t - 1] + p[t + 1]) / 2| of (T, 68, 2) points, flat, where all three are known."""
    distances = np.linalg.norm(points[1:-1] - (points[:-2] + points[2:]) / 2, axis=-1).ravel()
    return distances[~np.isnan(distances)].astype(np.float32)


@app.command()
def landmarks(
    folder: Clips,
    most: Most = None,
    frames: Annotated[int, typer.Option(min=3, help="Of each clip.")] = 75,
) -> None:
    """Frames a second of processor time, frames without a face and jitter, by resolution."""
    cv2.setNumThreads(1)
    tracker = MediaPipeTracker(locate("face_landmarker.task"))
    paths = spread(list(find_videos(folder).values()), most)
    tracker.track(list(itertools.islice(read_frames(paths[0]), frames)))  # allocates and loads
    # By resolution, (frames, seconds, misses, jitter) of each clip.
    found: dict[str, list[tuple[int, float, int, NDArray[np.float32]]]] = defaultdict(list)
    for path in each(paths, "clips"):
        clip = list(itertools.islice(read_frames(path), frames))
        cost, track = timed(partial(tracker.track, clip))
        row = len(clip), cost.processor, int((~track.found).sum()), jitter(track.points)
        for name in (f"{clip[0].shape[1]} x {clip[0].shape[0]}", "all"):
            found[name].append(row)
    print(header(["ai-edge-litert", "opencv-python"]))
    rows = []
    for name in [*sorted(found.keys() - {"all"}), "all"]:
        counts, seconds_each, misses, trembling = zip(*found[name], strict=True)
        rate = sum(counts) / sum(seconds_each)
        middle = np.median(np.concatenate(trembling))
        cells = [len(counts), sum(counts), f"{rate:.0f}", sum(misses), f"{middle:.2f}"]
        rows.append([name, *map(str, cells)])
    print(markdown(["resolution", "clips", "frames", "frames/s", "misses", "jitter, px"], rows))


if __name__ == "__main__":
    app()
