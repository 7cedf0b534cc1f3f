"""The stages from a raw clip to a sample: a list of functions, each `clip -> clip | Skip`.

A stage may also give a list of clips: the shots of one that is split.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.dataset.prep_options import Landmarks, PrepOptions
from pipeline.dataset.sample import pack_faithfully
from pipeline.faces.alignment import crop, crop_landmarks, transforms
from pipeline.faces.mouth_box import mouth_boxes, mouth_opening
from pipeline.faces.plausibility import outside_share
from pipeline.faces.sharpness import mouth_contrast, sharpness
from pipeline.faces.tracking import MediaPipeTracker, Tracker
from pipeline.media import (
    FPS,
    SAMPLE_RATE,
    SAMPLES_PER_FRAME,
    Frames,
    fit_audio,
    probe,
    read_audio,
)
from pipeline.run.clip import MEASURE_EVERY, Clip, Skip, Stage
from pipeline.run.track_face import track_face
from pipeline.speech.activity import speech_share
from pipeline.speech.features import Featurise, speech_features
from pipeline.speech.lip_sync import CLIP_MAX_LAG, lag_and_correlation, log_energy

_LANDMARKS: dict[Landmarks, list[str]] = {
    "mediapipe": ["face_landmarker.task"],
    "fan": ["s3fd-619a316812.pth", "2DFAN4-11f355bf06.pth.tar"],
}
_ENCODER = "audio_encoder.pt"


def decode(clip: Clip) -> Clip | Skip:
    """Opens the video, and reads its sound as mono 16 kHz."""
    row = clip.row
    info = probe(row.path)
    if info.is_still:
        return Skip("a still picture, not a video")
    if not info.audio_rate:
        return Skip("no sound stream")
    frames = Frames(row.path, row.start, row.end)
    audio = read_audio(row.path, start=row.start, end=row.end, origin=info.start)
    notes = tuple(dict.fromkeys((*info.notes, *audio.notes)))
    return replace(clip, info=info, frames=frames, audio=audio.samples, notes=notes)


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
        lag, correlation = lag_and_correlation(opening, energy, max_lag=CLIP_MAX_LAG)
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

    assert clip.info is not None
    outside = outside_share(matrices, size, (clip.info.width, clip.info.height))
    some = range(0, len(packed), MEASURE_EVERY)
    mouths = [mouth_contrast(packed[k], landmarks[k]) for k in some]
    measures = {
        "outside": float(outside.mean()),
        "sharpness": float(np.median([sharpness(packed[k]) for k in some])),
        "mouth_contrast": float(np.median(mouths)),
        "frame_psnr": psnr,
    }
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
    """The stages of a run, models loaded from `weights`: paths by name, from `needed_weights`."""
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
