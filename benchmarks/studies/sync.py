"""Sync fitted on real clips, and lips against loudness, on GRID, LRS3 and three methods.

Three seconds of each clip, the sound shifted by −5 … 5 frames, by a fit that has not seen the
speaker. Prints Markdown; finding landmarks takes minutes, which the cache keeps.
"""

import csv
import itertools
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.clips.cache import MeasurementCache
from benchmarks.clips.decoded_video import DecodedVideo, open_video
from benchmarks.metrics.motion.blinks import held
from benchmarks.metrics.speech.lip_correlation import lip_curves
from benchmarks.metrics.speech.speech_sync import compare, fit, sync_features
from benchmarks.speed.harness import each, header, markdown
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import SAMPLES_PER_FRAME
from pipeline.speech.lip_sync import MAX_LAG
from pipeline.speech.shifts import lip_correlations, others
from pipeline.weights import locate

Clip = tuple[NDArray[np.float64], NDArray[np.int16]]  # landmarks (T, 68, 2), sound (N,)

FRAMES = 75
FOLDS = 8
SHIFTS = range(-5, 6)
PANELS = {"the source, foreign sound": 0, "Wav2Lip": 234, "PC-AVS": 458, "Diff2Lip": 682}
_SIDE, _MOST = 224, 225  # pixels of a method's panel; frames of a clip
_FACES = 0.9  # share of frames with a face


def sources(data: Path) -> list[tuple[Path, str, str]]:
    """Videos with their data set (GRID, LRS3, other) and speaker."""
    found = [(path, "GRID", "s1") for path in sorted((data / "grid_s1").glob("*.mpg"))]
    columns = ("people.tsv", "dataset_and_licence", "person"), ("clips.tsv", "licence", "file")
    for table, licence, speaker in columns:
        with (data / table).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file, delimiter="\t"):
                kind = next((k for k in ("GRID", "LRS3") if k in row[licence]), "other")
                # clips/grid_s26_bgbsza.mpg is of the speaker s26; other clips are one a person.
                person = row[speaker].removeprefix("clips/grid_")
                person = person.split("_")[0] if person != row[speaker] else f"{table}-{person}"
                found.append((data / row["file"], kind, person))
    return found


def read_clips(
    videos: Sequence[tuple[Path, int | None]], cache: MeasurementCache
) -> list[Clip | None]:
    """Clips, or panels that begin at a column; None without sound or a face."""
    tracker = MediaPipeTracker(locate("face_landmarker.task"))

    def landmarks(video: DecodedVideo, left: int | None) -> NDArray[np.float32]:
        across = slice(None) if left is None else slice(left, left + _SIDE)
        frames = itertools.islice(video.open_frames(), _MOST)
        return tracker.track(np.ascontiguousarray(frame[:, across]) for frame in frames).points

    clips: list[Clip | None] = []
    for path, left in each(videos, "clips"):
        video = open_video(path, _MOST)
        points = cache.array(f"{video.digest}-{left}", partial(landmarks, video, left))
        filled, share = held(points), 1 - np.isnan(points[:, 0, 0]).mean()
        sound = video.samples if share >= _FACES else None
        clips.append(None if filled is None or sound is None else (filled, sound))
    return clips


def piece(clip: Clip, shift: int) -> Clip:
    """The middle three seconds of a clip with the sound `shift` frames late; silence beyond it."""
    points, samples = clip
    first = (len(points) - FRAMES) // 2
    begin = (first - shift) * SAMPLES_PER_FRAME
    padded = np.pad(samples, (max(0, -begin), FRAMES * SAMPLES_PER_FRAME))[max(0, begin) :]
    return points[first : first + FRAMES], padded[: FRAMES * SAMPLES_PER_FRAME]


def by_loudness(clips: Sequence[Clip]) -> tuple[NDArray[np.float64], float]:
    """(N, 31) correlations of lips and loudness, and how often the own sound beats another's."""
    lips = [lip_curves(*clip) for clip in clips]
    curves = [
        lip_correlations(opening, [lips[int(j)][1] for j in (k, *foreign)])
        for k, ((opening, _), foreign) in enumerate(zip(lips, others(len(lips)), strict=True))
    ]
    peaks = [curve.max(1) for curve in curves]
    wins = float(np.mean([np.mean(peak[0] > peak[1:]) for peak in peaks]))
    return np.stack([curve[0] for curve in curves]), wins


def main(
    data: Annotated[Path, typer.Argument(help="The shared data.")],
    cache: Annotated[Path, typer.Option(help="Folder that keeps landmarks.")],
) -> None:
    """Prints how often the lag of single clips follows, own sound wins, and the methods."""
    kept, known = MeasurementCache(cache), sources(data)
    clips = read_clips([(path, None) for path, _, _ in known], kept)
    found = [(kind, who, clip) for (_, kind, who), clip in zip(known, clips, strict=True) if clip]
    speakers = {who: k % FOLDS for k, who in enumerate(sorted({who for _, who, _ in found}))}
    folds = np.array([speakers[who] for _, who, _ in found])
    features = [sync_features(*clip) for _, _, clip in found]
    fits = [
        fit([one for one, own in zip(features, folds, strict=True) if own != fold])
        for fold in range(FOLDS)
    ]
    print(header(["scipy"]))
    print(f"fitted on {len(found)} clips of {len(speakers)} speakers\n")
    rows = []
    for data_set in ("GRID", "LRS3"):
        own = [
            (clip, fold)
            for (kind, _, clip), fold in zip(found, folds, strict=True)
            if kind == data_set and len(clip[0]) >= FRAMES
        ]
        chosen = np.array([fold for _, fold in own])
        lags: dict[str, list[NDArray[np.int64]]] = {"fitted": [], "loudness": []}
        wins = {}
        for shift in SHIFTS:
            shifted = [piece(clip, shift) for clip, _ in own]
            by_fit = compare(fits, chosen, [sync_features(*clip) for clip in shifted])
            loud, beaten = by_loudness(shifted)
            lags["fitted"].append(by_fit.lag.curves.argmax(1) - MAX_LAG - shift)
            lags["loudness"].append(loud.argmax(1) - MAX_LAG - shift)
            if shift == 0:
                wins = {"fitted": float(by_fit.wins.mean()), "loudness": beaten}
        for measure, values in lags.items():
            errors = np.stack(values)  # (shifts, clips)
            of_set = np.median(errors)
            near = [np.mean(abs(errors - lag) <= 1) for lag in (of_set, errors[SHIFTS.index(0)])]
            shares = (f"{share:.3f}" for share in (*near, wins[measure]))
            rows.append([data_set, measure, str(len(own)), f"{of_set:+.0f}", *shares])
    headings = ["data", "measure", "clips", "lag of the set", "within 1 of it plus the shift",
                "within 1 of its own plus the shift", "own sound beats another's"]  # fmt: skip
    print(markdown(headings, rows), "\n")

    rows = []
    for name, left in PANELS.items():
        panels = read_clips([(p, left) for p in sorted((data / "methods").glob("*.mp4"))], kept)
        shown = [sync_features(*clip) for clip in panels if clip]
        by_fit = compare(fits[:1], np.zeros(len(shown), np.int64), shown)
        lag = f"{by_fit.lag.lag:+.0f}" if by_fit.lag.stands_out else "n/a"
        numbers = [by_fit.lag.peak, by_fit.lag.chance, by_fit.confidence.mean(), by_fit.wins.mean()]
        rows.append([name, str(len(shown)), lag, *(f"{value:.2f}" for value in numbers)])
    headings = ["method", "clips", "lag", "correlation", "chance", "confidence", "wins"]
    print(markdown(headings, rows))


if __name__ == "__main__":
    typer.run(main)
