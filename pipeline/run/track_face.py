"""The stage that finds the face of a clip in every frame."""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.faces.crop_views import FaceViews
from pipeline.faces.head_pose import head_pose
from pipeline.faces.mouth_box import mouth_opening
from pipeline.faces.plausibility import plausible
from pipeline.faces.tracking import FrameLandmarks, Stretch, Tracker, stretches, to_track
from pipeline.media import FPS
from pipeline.media.notes import Note
from pipeline.media.scene_cuts import CutDetector
from pipeline.run.choose_face import choose_face
from pipeline.run.clip import MEASURE_EVERY, Clip, Skip, Stage
from pipeline.speech.speaker import DECISIVE

_BURST = 24 << 20  # bytes of frames that are decoded before the networks look at them
_TURNED = 45.0  # degrees of roll from which a face does not stand upright in its picture


def track_face(tracker: Tracker) -> Stage:
    """The stage that finds the landmarks of every frame, and the stretches with a face."""

    def landmarks(clip: Clip) -> Clip | list[Clip] | Skip:
        assert clip.frames is not None
        # One pass over the frames: cuts, landmarks, and what the crops will need.
        detector = CutDetector()
        views = FaceViews(clip.options.image_size, clip.options.bridge_frames)
        frames = _in_bursts(detector.watch(_in_bursts(clip.frames)))
        found: list[bool] = []
        first = to_track(_plausible(tracker.locate(frames), found, views))
        if not found:
            return Skip("no frame between start and end")
        if detector.cuts and clip.options.cuts == "drop":
            at = detector.cuts[0] / FPS
            return Skip(f"{len(detector.cuts)} scene cuts, the first at {at:.2f} s")

        # Of several faces one is chosen; its crops need other views, made of the frames again.
        choice = choose_face(clip, tracker, first, detector.cuts)
        if not choice.first:
            views = FaceViews(clip.options.image_size, clip.options.bridge_frames)

        # Runs of frames with one face and no cut; short gaps in the landmarks are interpolated.
        track, implausible = choice.track, sum(found) - int(first.found.sum())
        parts = stretches(track, bridge=clip.options.bridge_frames, cuts=detector.cuts)
        if not parts and choice.first and implausible:
            return Skip(f"no plausible face: landmarks of {implausible} frames are not a face's")
        if not parts:
            asked = "" if choice.first else f", and face {clip.options.face} is asked for"
            return Skip(f"no face found in any frame{asked}")
        measures = {
            "source_seconds": len(track.points) / FPS,
            "face_seconds": int(track.found.sum()) / FPS,
            "faces": track.faces,
            "implausible": implausible,
            "cuts": len(detector.cuts),
        }
        clip = replace(
            clip, views=views, length=len(found), backend=tracker.name, measures=measures
        )
        if clip.options.cuts == "split" and len(parts) > 1:
            return [_with_face(clip, part, choice.lead, n) for n, part in enumerate(parts, start=1)]
        return _with_face(clip, max(parts, key=len), choice.lead, shot=0)

    return landmarks


def _plausible(
    located: Iterable[FrameLandmarks], found: list[bool], views: FaceViews
) -> Iterator[FrameLandmarks]:
    """The plausible landmarks; whether there were any, and what the crops need, are noted."""
    for one in located:
        found.append(not np.isnan(one.points[0, 0]))
        frame = plausible(one)
        views.add(frame.frame, frame.points)
        yield frame


def _in_bursts(frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """The frames in bursts: taking turns, decoder and networks evict each other's caches."""
    rest = iter(frames)
    for first in rest:
        yield from [first, *itertools.islice(rest, _BURST // first.nbytes)]


def _with_face(clip: Clip, part: Stretch, lead: NDArray[np.float64], shot: int) -> Clip:
    """The clip reduced to a stretch, with what its landmarks tell."""
    poses = np.stack([head_pose(points) for points in part.points[::MEASURE_EVERY]])
    poses = poses[~np.isnan(poses).any(1)]
    # The mean of directions, not of numbers: 179 and -179 degrees are neighbours.
    pose = np.degrees(np.angle(np.exp(1j * np.radians(poses)).sum(0)))
    pose = pose if len(poses) else np.full(3, np.nan)
    across = part.points[:, 45] - part.points[:, 36]
    sure = float(lead[part.frames.start])
    measures = {
        "frames": len(part),
        "clip_seconds": len(part) / FPS,
        "interpolated": part.interpolated,
        "eye_distance": float(np.median(np.linalg.norm(across, axis=-1))),
        **dict(zip(("yaw", "pitch", "roll"), pose.tolist(), strict=True)),
        "mouth_opening_std": float(mouth_opening(part.points).std()),
        "speaker_margin": sure,
    }
    notes: list[Note] = []
    x, y = np.median(across, axis=0)
    if abs(np.degrees(np.arctan2(y, x))) > _TURNED:
        notes.append("turned")
    if not np.isnan(sure):
        notes.append("speaker-chosen" if sure >= DECISIVE else "speaker-unclear")
    return replace(
        clip,
        stretch=part,
        shot=shot,
        notes=(*clip.notes, *notes),
        measures=clip.measures | measures,
    )
