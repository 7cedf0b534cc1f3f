"""Which of several faces makes the sample: the one that speaks, or one by its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.mouth_box import mouth_opening
from pipeline.faces.other_faces import other_tracks
from pipeline.faces.tracking import NO_FACE, Track, Tracker
from pipeline.run.clip import Clip
from pipeline.speech.speaker import DECISIVE, find_speaker, predicted_movement, speaking_score

_MOST = 6  # faces that are compared
_BRIEF = 10  # frames; a face that is in view for fewer is not compared
_PRESENT = 0.25  # share of a shot in which a face must be in view


@dataclass(frozen=True)
class Choice:
    """The face of each frame.

    `lead`, (T,), is how surely it is the one that speaks, see `pipeline.speech.speaker`; NaN where
    there was nothing to choose, or the choice goes by place.
    """

    track: Track
    lead: NDArray[np.float64]
    first: bool = True  # whether it is the face that was followed first, all the time


def choose_face(clip: Clip, tracker: Tracker, first: Track, cuts: Sequence[int]) -> Choice:
    """Chooses the face that `--face` names, in each shot anew; `first` is the largest one.

    A clip is searched for other faces where several were counted, where the lips of the only one
    do not follow the sound, and where the choice asks for more than were counted.
    """
    face = clip.options.face
    plain = Choice(first, np.full(len(first.points), np.nan))
    index = int(face) if face.isdigit() else 0
    predicted = predicted_movement(clip.audio, len(first.points))
    silent = speaking_score(mouth_opening(first.points), predicted) < DECISIVE
    search = first.faces > 1 or index >= first.faces or (face == "speaking" and silent)
    if face == "largest" or not search:
        return plain
    assert clip.frames is not None
    most = min(max(first.faces, index + 1, 2), _MOST)
    tracks = other_tracks(tracker, clip.frames, first, most=most, least_frames=_BRIEF)
    points, lead = first.points.copy(), plain.lead.copy()
    for begin, end in pairwise([0, *cuts, len(points)]):
        shot = slice(begin, end)
        parts = [track.points[shot] for track in tracks]
        there = [part for part in parts if (~np.isnan(part[:, 0, 0])).mean() >= _PRESENT]
        if face == "speaking":
            if len(there) > 1:
                best, margin = find_speaker([*map(mouth_opening, there)], predicted[shot])
                lead[shot] = margin
                if margin >= DECISIVE:
                    points[shot] = there[best]
        else:
            there.sort(key=_first_x)
            position = {"left": 0, "right": len(there) - 1}.get(face, index)
            points[shot] = there[position] if 0 <= position < len(there) else NO_FACE
    seen = np.sum([track.found for track in tracks], axis=0).max()
    same = np.array_equal(points, first.points, equal_nan=True)
    return Choice(Track(points, max(first.faces, int(seen))), lead, first=same)


def _first_x(part: NDArray[np.float32]) -> float:
    """Where across the picture a face is first seen."""
    seen = ~np.isnan(part[:, 0, 0])
    return float(part[seen.argmax(), :, 0].mean())
