"""Clips for the report: which are worst and best, and small videos of them, real beside generated.

A page that needs no other file carries its videos in itself. They are therefore re-encoded small,
in order of interest, until the room for them is used up.
"""

import itertools
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.clips.pairs import shard_clips
from benchmarks.scoring.results import Scores, Source, values_of
from benchmarks.systems.protocol import synthetic_tags
from benchmarks.tables.published import cost
from pipeline.errors import UserError
from pipeline.media import FPS, Audio, MediaError, read_audio, read_frames, write_video
from pipeline.media.image import resize
from pipeline.progress import progress

SIDE = 208  # pixels of a panel's height
_GAP, _BAND = 4, 18  # pixels between panels, and of the line of text above them
_DARK = 24  # of what lies between and above the panels
_CRF = 29
_LONGEST = 250  # frames
_MOST_SYSTEMS = 3  # beside the real clip; more would be too small on a phone


@dataclass(frozen=True)
class Excerpt:
    """A clip of the page."""

    clip_id: str  # of the clip
    kind: str  # `worst` or `best`
    video: bytes  # an mp4; empty without a video
    poster: bytes  # a JPEG of its first frame
    note: str = ""  # why it has no video; else empty


def located(scores: Scores, folder: Path) -> Scores:
    """Scores whose clips are looked for in their file's folder too, if not where they say."""

    def place(path: str) -> str:
        return str(folder / path) if path and not Path(path).exists() else path

    sources = {
        clip: Source(real=place(source["real"]), fake=place(source["fake"]))
        for clip, source in scores.get("sources", {}).items()
    }
    return {**scores, "sources": sources}


def order_clips(scores: Sequence[Scores], metric: str) -> list[str]:
    """Clips of a data set from worst to best by a metric, by the mean over the systems."""
    found: dict[str, list[float]] = defaultdict(list)
    for one in scores:
        if metric not in one["metrics"]:
            continue
        direction, real = one["metrics"][metric]["direction"], values_of(one, metric, "real_values")
        for clip, value in values_of(one, metric).items():
            if direction != "closer" or clip in real:
                found[clip].append(-cost(value, direction, real.get(clip)))
    return sorted(found, key=lambda clip: (float(np.mean(found[clip])), clip))


def worst_and_best(ordered: Sequence[str], count: int) -> list[tuple[str, str]]:
    """(clip, `worst` or `best`): at most `count` of each, none twice, worst first."""
    count = min(count, len(ordered) // 2) if len(ordered) > 1 else min(count, len(ordered))
    worst = [(clip, "worst") for clip in ordered[:count]]
    best = [(clip, "best") for clip in reversed(ordered[count:])]
    return worst + best[:count]


def make_excerpts(
    scores: Sequence[Scores], chosen: Sequence[tuple[str, str]], room: int
) -> list[Excerpt]:
    """The chosen clips, in their order, as videos that take `room` bytes of the page at most."""
    # Worst and best in turn, so that a page that runs out of room has some of both.
    kinds = [[one for one in chosen if one[1] == kind] for kind in ("worst", "best")]
    turns = [one for pair in itertools.zip_longest(*kinds) for one in pair if one]
    made: dict[tuple[str, str], Excerpt] = {}
    left = room
    with progress("clips", len(turns)) as step:
        for clip, kind in turns:
            excerpt = make_excerpt(scores, clip, kind)
            size = (len(excerpt.video) + len(excerpt.poster)) * 4 // 3
            if size > left:
                note = "No video: the room for videos on this page is used up (--megabytes)."
                excerpt = Excerpt(clip, kind, b"", b"", note)
            else:
                left -= size
            made[clip, kind] = excerpt
            step()
    return [made[one] for one in chosen]


def make_excerpt(scores: Sequence[Scores], clip: str, kind: str) -> Excerpt:
    """One clip as a video; what does not read is described in its note."""
    having = [one for one in scores if clip in one.get("sources", {})][:_MOST_SYSTEMS]
    if not having:
        return Excerpt(clip, kind, b"", b"", "No video: the scores have no path of it.")
    sources = [one["sources"][clip] for one in having]
    names = [one["method"] for one in having]
    limits = [int(one["options"].get("max_frames") or _LONGEST) for one in having]
    try:
        real, sound = open_real(Path(sources[0]["real"]), clip)
        fakes = [Path(source["fake"]) for source in sources]
        panels = [real, *(read_frames(path) for path in fakes)]
        labels = ["real", *(f"synthetic: {name}" for name in names)]
        frames = list(itertools.islice(side_by_side(panels, labels), min(*limits, _LONGEST)))
        sound_of_fake = _sound(fakes[0]) or sound
        label = synthetic_tags(" and ".join(names))
        return Excerpt(clip, kind, *_encoded(frames, sound_of_fake, label))
    except (UserError, OSError, ValueError) as error:
        return Excerpt(clip, kind, b"", b"", f"No video: {error}.")


def generated_video(path: Path) -> Excerpt:
    """A generated video by itself, marked as synthetic."""
    frames = itertools.islice(side_by_side([read_frames(path)], ["synthetic"]), _LONGEST)
    tags = synthetic_tags("dh-sample")
    return Excerpt(path.name, "", *_encoded(list(frames), _sound(path), tags))


def open_real(path: Path, clip: str) -> tuple[Iterable[NDArray[np.uint8]], Audio | None]:
    """A real clip's frames and sound, from a video or from a shard of a data set."""
    if path.suffix != ".tar":
        return read_frames(path), _sound(path)
    for one in shard_clips(str(path)):
        if one.clip_id == clip:
            video = one.open(_LONGEST)
            return video.frames, None if video.samples is None else Audio(video.samples)
    raise UserError(f"{path} holds no clip {clip}")


def _sound(path: Path) -> Audio | None:
    """The sound of a video, mono at 16 kHz: it is there to be checked."""
    try:
        return read_audio(path)
    except MediaError:
        return None


def side_by_side(
    panels: Sequence[Iterable[NDArray[np.uint8]]], labels: Sequence[str]
) -> Iterator[NDArray[np.uint8]]:
    """Panels with their labels above, up to three in a row, four in two rows.

    It ends with the shortest of them. (H, W, 3) uint8 RGB of any size to one of even sides; labels
    are written into the picture, so that they cannot get lost.
    """
    columns = len(panels) if len(panels) <= 3 else 2
    for frames in zip(*panels, strict=False):
        shown = [_panel(frame, label) for frame, label in zip(frames, labels, strict=True)]
        gap = np.full((SIDE + _BAND, _GAP, 3), _DARK, np.uint8)
        rows = [
            np.hstack([part for one in shown[at : at + columns] for part in (one, gap)][:-1])
            for at in range(0, len(shown), columns)
        ]
        width = max(row.shape[1] for row in rows)
        yield np.concatenate(
            [np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in rows]
        )


def _panel(frame: NDArray[np.uint8], label: str) -> NDArray[np.uint8]:
    height, width = frame.shape[:2]
    shown = (max(2, round(width * SIDE / height / 2) * 2), SIDE)
    panel = np.full((SIDE + _BAND, shown[0], 3), _DARK, np.uint8)
    panel[_BAND:] = resize(frame, shown)
    # OpenCV's letters are ASCII; a name in another script keeps its word in the page.
    text = label.encode("ascii", "replace").decode()
    cv2.putText(
        panel, text, (5, _BAND - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (235,) * 3, 1, cv2.LINE_AA
    )
    return panel


def _encoded(
    frames: Sequence[NDArray[np.uint8]], sound: Audio | None, label: dict[str, str]
) -> tuple[bytes, bytes]:
    """(mp4, JPEG of the first frame)."""
    if not frames:
        raise UserError("one of its videos has no frame")
    with tempfile.TemporaryDirectory(prefix="dh-report-") as folder:
        path = Path(folder) / "clip.mp4"
        write_video(path, frames, fps=FPS, audio=sound, crf=_CRF, metadata=label)
        video = path.read_bytes()
    picture = cv2.cvtColor(frames[0], cv2.COLOR_RGB2BGR)
    return video, cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 70])[1].tobytes()
