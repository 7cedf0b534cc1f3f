"""What a video is made from: the face in a picture or video, and a recording's speech features."""

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from av.codec import Codec
from numpy.typing import NDArray

from model.config.presets import Preset
from model.network.talking_head import SpeechFormat
from model.sampling.jobs import Job
from pipeline.errors import UserError
from pipeline.faces.alignment import crop, transforms
from pipeline.faces.other_faces import other_tracks
from pipeline.faces.tracking import Track, Tracker
from pipeline.files import sha256_file
from pipeline.media import (
    FPS,
    IMAGE_SUFFIXES,
    Audio,
    MediaError,
    read_audio,
    read_frames,
    read_image,
)
from pipeline.speech.features import SHAPES, Featurise, speech_features
from pipeline.speech.mfcc import mfcc_windows
from pipeline.weights import locate

# Sample rates in Hz that an AAC stream can have.
_AAC_RATES = frozenset(Codec("aac", "w").audio_rates or ())
_MOST_FACES = 10  # looked for in a picture


@dataclass(frozen=True)
class Face:
    """A face in its picture."""

    crop: NDArray[np.uint8]  # (size, size, 3) uint8 RGB, aligned as the training crops were
    picture: NDArray[np.uint8]  # (H, W, 3) uint8 RGB, what it was found in
    matrix: NDArray[np.float64]  # (2, 3), pixels of the picture to pixels of the crop
    faces: int = 1  # how many were found in it


def crop_size(preset: Preset) -> int:
    """Side of the crop of a face; the frames of a smaller model are averages of it."""
    return max(128, preset.unet.image_size)


def read_face(
    source: Path | NDArray[np.uint8], tracker: Tracker, size: int, which: str = "largest"
) -> Face:
    """Finds a face and aligns it as the training crops were, in a crop of `size`.

    The source is a picture, a video of which the first second is searched, or (H, W, 3) uint8 RGB;
    `which` of several faces is `largest`, `left`, `right`, or an index from 0, the leftmost.
    """
    if isinstance(source, np.ndarray):
        if source.ndim != 3 or source.shape[2] != 3 or source.dtype != np.uint8:
            raise UserError(f"a face is (H, W, 3) uint8 RGB, not {source.shape} {source.dtype}")
        frames = [source]
    elif source.suffix.lower() in IMAGE_SUFFIXES:
        frames = [read_image(source)]
    else:
        frames = list(itertools.islice(read_frames(source), FPS))
    track = tracker.track(frames)
    if not track.found.any():
        where = "the picture" if len(frames) == 1 else "the first second of the video"
        name = "the picture" if isinstance(source, np.ndarray) else source
        raise UserError(f"no face found in {name}; {where} must show one face from the front")
    first = int(track.found.argmax())
    picture, points = frames[first], track.points[first : first + 1]
    faces = track.faces
    if which != "largest":
        points, faces = _chosen(picture, Track(points, faces), tracker, which)
    matrices = transforms(points, size, "none")
    return Face(next(crop([picture], matrices, size)), picture, matrices[0], faces)


def _chosen(
    picture: NDArray[np.uint8], largest: Track, tracker: Tracker, which: str
) -> tuple[NDArray[np.float32], int]:
    """The (1, 68, 2) landmarks of a face by its place, and how many faces there are."""
    if which not in ("left", "right") and not which.isdecimal():
        raise UserError(
            f"--which-face is largest, left, right or an index from 0, not {which!r}; who speaks "
            "cannot be seen in one picture"
        )
    tracks = other_tracks(tracker, [picture], largest, most=_MOST_FACES, least_frames=1)
    tracks.sort(key=lambda track: float(track.points[0, :, 0].mean()))
    index = int(which) if which.isdecimal() else {"left": 0, "right": len(tracks) - 1}[which]
    if index >= len(tracks):
        raise UserError(f"face {which} is asked for, and {len(tracks)} are in the picture, from 0")
    return tracks[index].points, len(tracks)


def read_speech(
    source: Path | NDArray[np.int16], featurise: Featurise = mfcc_windows
) -> tuple[NDArray[np.float32], Audio]:
    """Speech features of a recording or of (N,) int16 samples at 16 kHz, and its sound.

    (T, F) for T = the number of frames that cover it; the sound has its own rate, or 48 kHz where
    AAC does not have that.
    """
    if isinstance(source, np.ndarray):
        if source.ndim != 1 or source.dtype != np.int16:
            raise UserError(f"speech is (N,) int16 at 16 kHz, not {source.shape} {source.dtype}")
        speech = sound = Audio(source)
    else:
        speech = read_audio(source)  # mono, 16 kHz
        sound = read_audio(source, rate=None, mono=False)
        if sound.rate not in _AAC_RATES:
            sound = read_audio(source, rate=48_000, mono=False)
    frames = math.ceil(speech.seconds * FPS - 1e-6)
    if not frames:
        name = "the speech" if isinstance(source, np.ndarray) else f"the sound of {source}"
        raise MediaError(f"{name} is empty")
    return featurise(speech.samples, frames), sound


def features_of(speech: SpeechFormat, weights_dir: Path | None = None) -> Featurise:
    """The function that computes the speech features that a model takes."""
    if speech.name != "released":
        return mfcc_windows
    encoder = locate("audio_encoder.pt", weights_dir)
    if speech.encoder not in ("", sha256_file(encoder)):
        raise UserError(
            f"{encoder} is another speech encoder than the model was trained with (SHA-256 "
            f"{speech.encoder})"
        )
    if speech.coefficients != SHAPES["released"].dim:
        raise UserError(
            f"the model takes speech embeddings of {speech.coefficients} numbers; the authors' "
            f"encoder makes {SHAPES['released'].dim}"
        )
    return speech_features("released", encoder)


@dataclass(frozen=True)
class VideoInputs:
    """A job with its face and speech read."""

    job: Job  # the paths
    face: Face  # the face in its picture
    speech: NDArray[np.float32]  # (T, F) features
    audio: Audio  # the recording's own sound


def read_inputs(
    job: Job,
    tracker: Tracker,
    preset: Preset,
    featurise: Featurise = mfcc_windows,
    which_face: str = "largest",
) -> VideoInputs:
    """Reads a job's face and recording; a `UserError` if one of them cannot be used."""
    face = read_face(job.face, tracker, crop_size(preset), which_face)
    return VideoInputs(job, face, *read_speech(job.speech, featurise))
