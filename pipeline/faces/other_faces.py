"""The other faces of a clip: searched for with those covered that are known already.

A clip is searched again only where several faces were counted, so that one with one face costs
nothing. Any tracker will do, since each pass follows one face.
"""

import itertools
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.plausibility import plausible
from pipeline.faces.tracking import Track, Tracker, to_track
from pipeline.media import FPS

_MARGIN = np.array([0.25, 0.45])  # of the box of the landmarks, to each side: hair and ears
_GREY = 128
_LOOKS = 10  # frames that are searched before a pass


def other_tracks(
    tracker: Tracker,
    frames: Iterable[NDArray[np.uint8]],
    first: Track,
    *,
    most: int,
    least_frames: int,
) -> list[Track]:
    """The tracks of the faces of a clip: the one known, then the others, largest first.

    At most `most` tracks, the first among them. A face seen in fewer than `least_frames` is none.
    `frames` are iterated over several times.
    """
    tracks = [first]
    while len(tracks) < most:
        # A frame a second tells whether a pass over all of them is worth its time.
        some = itertools.islice(covered(frames, tracks), 0, _LOOKS * FPS, FPS)
        if not any(to_track(tracker.locate([frame])).found[0] for frame in some):
            break
        track = to_track(map(plausible, tracker.locate(covered(frames, tracks))))
        if track.found.sum() < least_frames:
            break
        tracks.append(track)
    return tracks


def covered(
    frames: Iterable[NDArray[np.uint8]], tracks: Sequence[Track]
) -> Iterator[NDArray[np.uint8]]:
    """The frames with the faces of the tracks painted grey."""
    for index, frame in enumerate(frames):
        painted = frame.copy()
        for points in (track.points[index] for track in tracks):
            if not np.isnan(points[0, 0]):
                margin = _MARGIN * np.ptp(points, axis=0)
                low = np.maximum(points.min(0) - margin, 0).astype(int)
                high = np.maximum(points.max(0) + margin, 0).astype(int)
                painted[low[1] : high[1], low[0] : high[0]] = _GREY
        yield painted
