"""The stages from a raw clip to a sample: a list of functions, each `clip -> clip | Skip`."""

from __future__ import annotations

import time
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.alignment import crop, crop_landmarks, transforms
from pipeline.files import printable, sha256_file
from pipeline.landmarks import MediaPipeTracker, Track, Tracker, longest_run
from pipeline.media import FPS, Frames, MediaError, VideoInfo, fit_audio, probe, read_audio
from pipeline.mouth import mouth_boxes, mouth_opening
from pipeline.pose import head_pose
from pipeline.sample import SCHEMA_VERSION, Meta, PackedFrames, Sample, pack_faithfully
from pipeline.speech import MFCC_DIM, log_energy, mfcc_windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from pipeline.manifest import ManifestRow
    from pipeline.options import PrepOptions


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
        frames: the decoded frames.
        audio: (N,) int16 mono 16 kHz from the first frame on.
        track: landmarks in the source frames.
        kept: the frames that make the sample.
        interpolated: how many of them have interpolated landmarks.
        points: (T, 68, 2) landmarks of the kept frames in source pixels.
        matrices: (T, 2, 3) alignment of the kept frames.
        crops: the aligned frames, packed.
        jpeg_quality: of the packed frames.
        psnr: of the packed frames against the crops, dB.
        speech: (T, F) float32.
        landmarks: (T, 68, 2) in pixels of the crop.
        mouth: (T, 4) int16.
    """

    row: ManifestRow
    options: PrepOptions
    info: VideoInfo | None = None
    frames: Frames | None = None
    audio: NDArray[np.int16] = field(default_factory=lambda: np.empty(0, np.int16))
    track: Track | None = None
    kept: slice = field(default_factory=lambda: slice(0, 0))
    interpolated: int = 0
    points: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 68, 2), np.float32))
    matrices: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2, 3)))
    crops: PackedFrames | None = None
    jpeg_quality: int = 0
    psnr: float = 0.0
    speech: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 0), np.float32))
    landmarks: NDArray[np.float32] = field(default_factory=lambda: np.empty((0, 68, 2), np.float32))
    mouth: NDArray[np.int16] = field(default_factory=lambda: np.empty((0, 4), np.int16))


def decode(clip: Clip) -> Clip | Skip:
    """Opens the video, and reads its sound as mono 16 kHz."""
    row = clip.row
    info = probe(row.path)
    if not info.audio_rate:
        return Skip("no sound stream")
    frames = Frames(row.path, row.start, row.end)
    audio = read_audio(row.path, start=row.start, end=row.end)
    return replace(clip, info=info, frames=frames, audio=audio.samples)


def track_face(tracker: Tracker) -> Callable[[Clip], Clip | Skip]:
    """The stage that finds the landmarks of every frame and keeps the longest run with a face."""

    def landmarks(clip: Clip) -> Clip | Skip:
        assert clip.frames is not None
        track = tracker.track(clip.frames)
        if not len(track.points):
            return Skip("no frame in the wanted part of the video")
        kept, points, interpolated = longest_run(track, bridge=clip.options.bridge_frames)
        seconds = len(points) / FPS
        if not seconds:
            return Skip("no face found in any frame")
        if seconds < clip.options.min_seconds:
            return Skip(f"a face for {seconds:.2f} s only, less than {clip.options.min_seconds} s")
        return replace(clip, track=track, kept=kept, points=points, interpolated=interpolated)

    return landmarks


def align(clip: Clip) -> Clip | Skip:
    """Crops the face in the authors' geometry and packs the crops."""
    assert clip.frames is not None
    size = clip.options.image_size
    matrices = transforms(clip.points, size, clip.options.smoothing)
    wanted = range(clip.kept.start, clip.kept.stop)
    frames = (frame for index, frame in enumerate(clip.frames) if index in wanted)
    packed, quality, psnr = pack_faithfully(list(crop(frames, matrices, size)))
    landmarks = crop_landmarks(clip.points, matrices)
    return replace(
        clip,
        matrices=matrices,
        crops=packed,
        jpeg_quality=quality,
        psnr=psnr,
        landmarks=landmarks,
        mouth=mouth_boxes(landmarks, size),
    )


def speech(clip: Clip) -> Clip | Skip:
    """Speech features of the kept frames, with the sound around them as context."""
    assert clip.track is not None
    features = mfcc_windows(clip.audio, len(clip.track.points))[clip.kept]
    audio = fit_audio(clip.audio, len(clip.track.points))
    start, stop = clip.kept.start * 640, clip.kept.stop * 640
    return replace(clip, speech=features, audio=audio[start:stop])


def default_stages(
    options: PrepOptions, weights: dict[str, Path]
) -> list[Callable[[Clip], Clip | Skip]]:
    """The stages of a run, models loaded.

    Args:
        options: of the run.
        weights: paths of the pretrained files by name, from `needed_weights`.
    """
    assert options.landmarks == "mediapipe"
    return [decode, track_face(MediaPipeTracker(weights["face_landmarker.task"])), align, speech]


def needed_weights(options: PrepOptions) -> list[str]:
    """Names of the pretrained files that the stages of `options` read."""
    return {"mediapipe": ["face_landmarker.task"]}[options.landmarks]


def to_sample(clip: Clip) -> Sample:
    """The finished sample of a clip that went through all stages."""
    assert clip.info is not None
    assert clip.crops is not None
    row, info = clip.row, clip.info
    meta = Meta(
        schema_version=SCHEMA_VERSION,
        clip_id=row.clip_id,
        source=row.source,
        source_sha256=sha256_file(row.path),
        speaker=row.speaker,
        split=row.split,
        frames=len(clip.crops),
        image_size=clip.options.image_size,
        speech_dim=MFCC_DIM,
        source_fps=round(info.fps, 3),
        source_size=[info.width, info.height],
        source_audio_rate=info.audio_rate,
        kept_seconds=[round(row.start + k / FPS, 6) for k in (clip.kept.start, clip.kept.stop)],
        landmark_backend=MediaPipeTracker.name,
        interpolated_frames=clip.interpolated,
        transforms=np.round(clip.matrices.reshape(-1, 6), 5).tolist(),
        frame_psnr=round(clip.psnr, 2),
        jpeg_quality=clip.jpeg_quality,
        options=clip.options.as_json(),
    )
    return Sample(
        row.clip_id, clip.crops, clip.audio, clip.speech, clip.landmarks, clip.mouth, meta
    )


def measurements(clip: Clip) -> dict[str, float]:
    """Numbers of a clip for its row: what a curator filters by and `inspect` draws."""
    assert clip.track is not None
    poses = np.stack([head_pose(points) for points in clip.points[::5]])
    eyes = np.linalg.norm(clip.points[:, 36] - clip.points[:, 45], axis=-1)
    yaw, pitch, roll = np.nanmean(poses, axis=0).tolist()
    return {
        "frames": len(clip.points),
        "clip_seconds": len(clip.points) / FPS,
        "faces": clip.track.faces,
        "eye_distance": float(np.median(eyes)),
        "yaw": yaw,
        "pitch": pitch,
        "roll": roll,
        "mouth_opening_std": float(mouth_opening(clip.points).std()),
        "loudness": float(log_energy(clip.audio, len(clip.points)).mean()),
        "frame_psnr": clip.psnr,
    }


@dataclass(frozen=True)
class Outcome:
    """What became of a clip: a row of the shard's parquet, and the sample if there is one."""

    row: dict[str, Any]
    sample: Sample | None


def prepare(
    row: ManifestRow, options: PrepOptions, stages: list[Callable[[Clip], Clip | Skip]]
) -> Outcome:
    """Takes one clip through the stages; whatever goes wrong becomes a row with its reason.

    The row's status is `ok`, `skipped` (dropped by a rule) or `failed` (unreadable, or a fault of
    ours, whose traceback the row keeps).
    """
    record: dict[str, Any] = {
        "clip_id": row.clip_id,
        "source": row.source,
        "speaker": row.speaker,
        "split": row.split,
        "status": "ok",
        "stage": "",
        "reason": "",
        "traceback": "",
    }
    clip: Clip | Skip = Clip(row, options)
    stage = ""
    try:
        for function in stages:
            assert isinstance(clip, Clip)
            stage, begin = function.__name__, time.perf_counter()
            clip = function(clip)
            record[f"seconds_{stage}"] = time.perf_counter() - begin
            if isinstance(clip, Skip):
                return Outcome(record | _ended("skipped", stage, clip.reason), None)
        stage = "pack"
        assert isinstance(clip, Clip)
        return Outcome(record | measurements(clip), to_sample(clip))
    except (MediaError, OSError) as error:
        return Outcome(record | _ended("failed", stage, str(error)), None)
    except Exception as error:  # noqa: BLE001 - the run goes on; the row keeps the traceback
        ended = _ended("failed", stage, f"{type(error).__name__}: {error}")
        return Outcome(record | ended | {"traceback": printable(traceback.format_exc())}, None)


def _ended(status: str, stage: str, reason: str) -> dict[str, str]:
    return {"status": status, "stage": stage, "reason": printable(reason)}
