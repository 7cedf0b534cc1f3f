"""The stages from a raw clip to a sample: a list of functions, each `clip -> clip | Skip`.

A stage may also give a list of clips: the shots of one that is split.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from pipeline.dataset.sample import PackedFrames, pack_faithfully
from pipeline.faces.alignment import crop, crop_landmarks, transforms
from pipeline.faces.crop_views import FaceViews
from pipeline.faces.head_pose import head_pose
from pipeline.faces.mouth_box import mouth_boxes, mouth_opening
from pipeline.faces.sharpness import sharpness
from pipeline.faces.tracking import (
    FrameLandmarks,
    MediaPipeTracker,
    Stretch,
    Track,
    Tracker,
    stretches,
    to_track,
)
from pipeline.media import (
    FPS,
    SAMPLE_RATE,
    SAMPLES_PER_FRAME,
    Frames,
    VideoInfo,
    fit_audio,
    probe,
    read_audio,
)
from pipeline.media.scene_cuts import CutDetector
from pipeline.speech.activity import speech_share
from pipeline.speech.features import speech_features
from pipeline.speech.lip_sync import lag_and_correlation, log_energy

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.dataset.prep_options import Landmarks, PrepOptions
    from pipeline.media.notes import Note
    from pipeline.sources.manifest import ManifestRow
    from pipeline.speech.features import Featurise

_MEASURE_EVERY = 5  # frames between two of which pose and sharpness are measured
_BURST = 24 << 20  # bytes of frames that are decoded before the networks look at them
_MAX_LAG = 5  # frames between lips and sound; farther, one clip's noise would win
_LANDMARKS: dict[Landmarks, list[str]] = {
    "mediapipe": ["face_landmarker.task"],
    "fan": ["s3fd-619a316812.pth", "2DFAN4-11f355bf06.pth.tar"],
}
_ENCODER = "audio_encoder.pt"


@dataclass(frozen=True)
class Skip:
    """A clip dropped by a rule, with the reason a person would give."""

    reason: str


@dataclass(frozen=True)
class Clip:
    """A clip on its way; each stage fills in what it finds.

    Attributes:
        row: the manifest's row.
        options: of the run.
        info: what the container says.
        frames: of the video, decoded anew each time.
        views: what the crops need of them.
        notes: what was done to the file to make it usable, see `pipeline.media.notes`.
        audio: (N,) int16 mono 16 kHz from the first frame on.
        backend: what found the landmarks.
        length: frames of the whole clip.
        shot: 0 for a whole clip, else which of its shots this is, from 1.
        stretch: the frames that make the sample, and the landmarks in them.
        matrices: (T, 2, 3) alignment of these frames.
        crops: the aligned frames, packed.
        jpeg_quality: of the packed frames.
        psnr: of the packed frames against the crops, dB.
        speech: (T, F) float32.
        landmarks: (T, 68, 2) in pixels of the crop.
        mouth: (T, 4) int16.
        measures: numbers that a curator filters by, see `pipeline.dataset.columns`.
    """

    row: ManifestRow
    options: PrepOptions
    info: VideoInfo | None = None
    frames: Frames | None = None
    views: FaceViews | None = None
    notes: tuple[Note, ...] = ()
    audio: NDArray[np.int16] = field(default_factory=lambda: np.empty(0, np.int16))
    backend: str = ""
    length: int = 0
    shot: int = 0
    stretch: Stretch | None = None
    matrices: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2, 3)))
    crops: PackedFrames | None = None
    jpeg_quality: int = 0
    psnr: float = 0.0
    speech: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    landmarks: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 68, 2), np.float32))
    mouth: NDArray[np.int16] = field(default_factory=lambda: np.empty((0, 4), np.int16))
    measures: dict[str, float] = field(default_factory=dict)


Stage = Callable[[Clip], Clip | list[Clip] | Skip]


def decode(clip: Clip) -> Clip | Skip:
    """Opens the video, and reads its sound as mono 16 kHz."""
    row = clip.row
    info = probe(row.path)
    if info.is_still:
        return Skip("a still picture, not a video")
    if not info.audio_rate:
        return Skip("no sound stream")
    frames = Frames(row.path, row.start, row.end, keep_bytes=0)
    audio = read_audio(row.path, start=row.start, end=row.end, origin=info.start)
    notes = tuple(dict.fromkeys((*info.notes, *audio.notes)))
    return replace(clip, info=info, frames=frames, audio=audio.samples, notes=notes)


def track_face(tracker: Tracker) -> Stage:
    """The stage that finds the landmarks of every frame, and the stretches with a face."""

    def landmarks(clip: Clip) -> Clip | list[Clip] | Skip:
        assert clip.frames is not None
        # One pass over the frames: cuts, landmarks, and what the crops will need.
        detector = CutDetector()
        views = FaceViews(clip.options.image_size, clip.options.bridge_frames)
        frames = _in_bursts(detector.watch(_in_bursts(clip.frames)))
        track = to_track(_viewed(tracker.locate(frames), views))
        if not len(track.points):
            return Skip("no frame between start and end")
        if detector.cuts and clip.options.cuts == "drop":
            first = detector.cuts[0] / FPS
            return Skip(f"{len(detector.cuts)} scene cuts, the first at {first:.2f} s")

        # Runs of frames with one face and no cut; short gaps in the landmarks are interpolated.
        found = stretches(track, bridge=clip.options.bridge_frames, cuts=detector.cuts)
        if not found:
            return Skip("no face found in any frame")
        clip = replace(
            clip,
            views=views,
            length=len(track.points),
            backend=tracker.name,
            measures=_whole_measures(track, detector.cuts),
        )
        if clip.options.cuts == "split" and len(found) > 1:
            return [_with_face(clip, part, shot) for shot, part in enumerate(found, start=1)]
        return _with_face(clip, max(found, key=len), shot=0)

    return landmarks


def _viewed(located: Iterable[FrameLandmarks], views: FaceViews) -> Iterator[FrameLandmarks]:
    """The frames as they come, and what the crops need of them into `views`."""
    for one in located:
        views.add(one.frame, one.points)
        yield one


def _in_bursts(frames: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """The frames in bursts: taking turns, decoder and networks evict each other's caches."""
    rest = iter(frames)
    for first in rest:
        yield from [first, *itertools.islice(rest, _BURST // first.nbytes)]


def _whole_measures(track: Track, cuts: list[int]) -> dict[str, float]:
    return {
        "source_seconds": len(track.points) / FPS,
        "face_seconds": int(track.found.sum()) / FPS,
        "faces": track.faces,
        "cuts": len(cuts),
    }


def _with_face(clip: Clip, part: Stretch, shot: int) -> Clip:
    """The clip reduced to a stretch, with what its landmarks tell."""
    poses = np.stack([head_pose(points) for points in part.points[::_MEASURE_EVERY]])
    poses = poses[~np.isnan(poses).any(1)]
    pose = poses.mean(0) if len(poses) else np.full(3, np.nan)
    eyes = np.linalg.norm(part.points[:, 36] - part.points[:, 45], axis=-1)
    found = {
        "frames": len(part),
        "clip_seconds": len(part) / FPS,
        "interpolated": part.interpolated,
        "eye_distance": float(np.median(eyes)),
        **dict(zip(("yaw", "pitch", "roll"), pose.tolist(), strict=True)),
        "mouth_opening_std": float(mouth_opening(part.points).std()),
    }
    return replace(clip, stretch=part, shot=shot, measures=clip.measures | found)


def extract_speech(featurise: Featurise) -> Stage:
    """The stage that computes the speech features, with the sound around them as context."""

    def speech(clip: Clip) -> Clip | Skip:
        assert clip.info is not None
        assert clip.stretch is not None
        row, kept = clip.row, clip.stretch.frames

        # Features of the whole clip, so that the first frames kept have their context: (T, F).
        features = featurise(clip.audio, clip.length)[kept]

        # The sound of the frames kept: (T * 640,) int16.
        audio = fit_audio(clip.audio, clip.length)[
            kept.start * SAMPLES_PER_FRAME : kept.stop * SAMPLES_PER_FRAME
        ]

        # Measures for curators: how loud, how much speech, lips against sound, what is missing.
        energy = log_energy(audio, len(clip.stretch))
        opening = mouth_opening(clip.stretch.points)
        lag, correlation = lag_and_correlation(opening, energy, max_lag=_MAX_LAG)
        missing = clip.info.declared.missing(
            clip.length / FPS, len(clip.audio) / SAMPLE_RATE, start=row.start, end=row.end
        )
        measures = {
            "missing_seconds": missing,
            "loudness": float(energy.mean()),
            "speech_share": speech_share(audio),
            "av_lag": lag,
            "av_correlation": correlation,
        }
        return replace(clip, speech=features, audio=audio, measures=clip.measures | measures)

    return speech


def align(clip: Clip) -> Clip | Skip:
    """Crops the face in the authors' geometry and packs the crops."""
    assert clip.stretch is not None
    size = clip.options.image_size

    # A similarity for each frame, smoothed over time: (T, 2, 3).
    matrices = transforms(clip.stretch.points, size, clip.options.smoothing)

    # The crops as JPEG pictures, and the landmarks in them: (T, 68, 2).
    packed, quality, psnr = pack_faithfully(_crops(clip, clip.stretch.frames, matrices))
    landmarks = crop_landmarks(clip.stretch.points, matrices)

    samples = [sharpness(packed[index]) for index in range(0, len(packed), _MEASURE_EVERY)]
    measures = {"sharpness": float(np.median(samples)), "frame_psnr": psnr}
    return replace(
        clip,
        matrices=matrices,
        crops=packed,
        jpeg_quality=quality,
        psnr=psnr,
        landmarks=landmarks,
        mouth=mouth_boxes(landmarks, size),
        measures=clip.measures | measures,
    )


def _crops(
    clip: Clip, kept: slice, matrices: NDArray[np.float64]
) -> Callable[[], Iterator[NDArray[np.uint8]]]:
    """What makes the crops: from the views of the frames, or if they are too few from the video."""
    assert clip.frames is not None
    assert clip.views is not None
    frames, views, size = clip.frames, clip.views, clip.options.image_size
    if views.suffice(kept, matrices):
        return lambda: views.crops(kept, matrices)
    return lambda: crop(frames.part(kept), matrices, size)


def default_stages(options: PrepOptions, weights: dict[str, Path]) -> list[Stage]:
    """The stages of a run, models loaded.

    Args:
        options: of the run.
        weights: paths of the pretrained files by name, from `needed_weights`.
    """
    featurise = speech_features(options.speech, weights.get(_ENCODER))
    return [decode, track_face(_tracker(options, weights)), extract_speech(featurise), align]


def _tracker(options: PrepOptions, weights: dict[str, Path]) -> Tracker:
    if options.landmarks == "fan":
        import torch

        from pipeline.faces.fan import FanTracker

        device = "cuda" if torch.cuda.is_available() else "cpu"
        return FanTracker(*(weights[name] for name in _LANDMARKS["fan"]), device=device)
    return MediaPipeTracker(weights["face_landmarker.task"])


def needed_weights(options: PrepOptions) -> list[str]:
    """Names of the pretrained files that the stages of `options` read."""
    encoder = [_ENCODER] if options.speech == "released" else []
    return [*_LANDMARKS[options.landmarks], *encoder]
