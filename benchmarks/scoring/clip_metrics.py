"""All numbers of one clip: a table of families of metrics, each a function of its two videos."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from benchmarks.clips.paired_frames import FRAME_METRICS, compare_frames, length_warnings
from benchmarks.metrics import av_sync, csim, fid, fvd
from benchmarks.metrics.blinks import blinks, eye_aspect_ratio, rate_and_duration
from benchmarks.metrics.cpbd import cpbd
from benchmarks.metrics.f_mse import f_mse
from benchmarks.metrics.lip_correlation import lip_correlations, lip_curves
from benchmarks.metrics.lmd import lmd
from benchmarks.metrics.ofm import ofm
from benchmarks.metrics.speech_sync import sync_features
from benchmarks.metrics.wer import transcript, word_errors, words
from benchmarks.scoring.cache import key_of
from benchmarks.scoring.clip_videos import ClipVideos, MeasureSetup
from benchmarks.scoring.pretrained import UnavailableError
from benchmarks.scoring.results import ClipRow
from pipeline.errors import UserError
from pipeline.faces.sharpness import sharpness
from pipeline.media import FPS
from pipeline.speech.lip_sync import MAX_LAG

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.clips.decoded_video import DecodedVideo
    from benchmarks.clips.paired_frames import FrameComparison
    from benchmarks.clips.pairs import RealClip

_LONG_ENOUGH = 2 * FPS  # frames of a clip before what changes along it is worth a curve


@dataclass
class Numbers:
    """What a family of metrics gives of a clip.

    Attributes:
        fake: values of the fake, by metric.
        real: values of the real clip by itself.
        curves: for the report, see `benchmarks.scoring.results.ClipRow`.
        pooled: what the number over a set is made of where it is no mean over clips, by metric or
            family: small values or keys of the cache of the `fake` and the `real` video.
    """

    fake: dict[str, float] = field(default_factory=dict)
    real: dict[str, float] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)
    pooled: dict[str, Any] = field(default_factory=dict)

    def add(self, other: Numbers) -> None:
        """Takes up those of another family."""
        self.fake |= other.fake
        self.real |= other.real
        self.curves |= other.curves
        self.pooled |= other.pooled


class MeasuredClip(NamedTuple):
    """What is known of a clip: its row for scores.json, and see `Numbers.pooled`."""

    row: ClipRow
    pooled: dict[str, Any]


def measure_clip(
    setup: MeasureSetup, clip: RealClip, real: DecodedVideo, fake: DecodedVideo, fake_file: Path
) -> MeasuredClip:
    """Measures one clip; a number that it cannot give is in `missing` with the reason.

    Args:
        setup: metrics, networks and cache.
        clip: the real clip's id and file.
        real: the real clip.
        fake: the video that imitates it.
        fake_file: of the fake, for the lip reader.

    Raises:
        MediaError: a video does not read.
        ValueError: the two cannot be compared.
    """
    # Frame by frame at one size; without that nothing else is measured.
    names = [name for name in FRAME_METRICS if name in setup.metrics]
    key = key_of("compare", real.digest, fake.digest, real.max_frames, setup.image_size, names)
    comparison: FrameComparison = setup.cache.record(
        key, lambda: compare_frames(real, fake, names, setup.image_size)
    )
    size = cast("tuple[int, int]", tuple(comparison["compared"]))
    numbers = Numbers(dict(comparison["values"]))
    for name, curve in comparison["curves"].items():
        numbers.curves |= _drift_curve(name, curve)

    # Then family by family; one that fails leaves the others as they are.
    videos = ClipVideos(setup, real, fake, size, clip.origin, fake_file)
    missing: dict[str, str] = {}
    for family, measure in FAMILIES.items():
        chosen = [name for name in family if name in setup.metrics]
        try:
            if chosen:
                numbers.add(measure(videos))
        except (UnavailableError, ValueError, UserError) as error:
            missing |= dict.fromkeys(chosen, str(error))

    row = {
        "clip_id": clip.clip_id,
        "status": "ok",
        "warnings": length_warnings(comparison),
        **{name: value for name, value in comparison.items() if name in ClipRow.__annotations__},
        "values": {name: v for name, v in numbers.fake.items() if name in setup.metrics},
        "real_values": {name: v for name, v in numbers.real.items() if name in setup.metrics},
        "curves": numbers.curves,
        "missing": missing,
    }
    return MeasuredClip(cast("ClipRow", row), numbers.pooled)


def motion(clip: ClipVideos) -> Numbers:
    """OFM and F-MSE, both forms."""

    def measure(video: DecodedVideo) -> dict[str, float]:
        released, magnitude = ofm(video.frames)
        wrapped, squared = f_mse(video.frames)
        return {
            "ofm": released,
            "ofm_equation": magnitude,
            "f_mse": wrapped,
            "f_mse_equation": squared,
        }

    return Numbers(*clip.of_both("motion", measure))


def blur(clip: ClipVideos) -> Numbers:
    """CPBD at the compared size, and how sharp the face is over time."""

    def mean_cpbd(video: DecodedVideo) -> float:
        return float(np.mean([cpbd(frame) for frame in video.at(clip.size)]))

    def face_sharpness(video: DecodedVideo) -> list[float | None]:
        values = [sharpness(frame) for frame in video.at(clip.size)]
        return [None if np.isnan(value) else value for value in values]

    fake, real = clip.of_both("cpbd", mean_cpbd, clip.size)
    pairs = list(zip(*clip.of_both("sharpness", face_sharpness, clip.size), strict=False))
    curve = {}
    if all(all(pair) for pair in pairs):  # else some face is one flat colour
        ratios = [round(of_fake / of_real, 4) for of_fake, of_real in pairs]
        curve = _drift_curve("sharpness", ratios)
    return Numbers({"cpbd": fake}, {"cpbd": real}, curve)


def eyes(clip: ClipVideos) -> Numbers:
    """Blinks a second and their duration."""
    numbers = Numbers(pooled={"blinks": {}})
    sides = ("fake", clip.fake, numbers.fake), ("real", clip.real, numbers.real)
    for side, video, values in sides:
        landmarks = clip.face(video)  # (T, 68, 2)
        durations = [blink.seconds for blink in blinks(eye_aspect_ratio(landmarks))]
        seconds = len(landmarks) / FPS
        numbers.pooled["blinks"][side] = {"durations": durations, "seconds": seconds}
        values["blinks_per_second"], duration = rate_and_duration([durations], [seconds])
        if durations:
            values["blink_duration"] = duration
    return numbers


def lips_and_loudness(clip: ClipVideos) -> Numbers:
    """Lip lag and correlation, and the curves of the report."""

    def measure(video: DecodedVideo) -> dict[str, list[float]]:
        opening, energy = lip_curves(clip.face(video), clip.sound(video))  # (T,) each
        return {
            "opening": np.round(opening, 4).tolist(),
            "energy": np.round(energy, 4).tolist(),
        }

    fake, real = clip.of_both_with_sound("lips", measure)
    numbers = Numbers(
        curves={
            "lips_fake": fake["opening"],
            "energy": fake["energy"],
            "lips_real": real["opening"],
        },
        pooled={"lips": {}},
    )
    for side, found, values in (("fake", fake, numbers.fake), ("real", real, numbers.real)):
        pair = np.array(found["opening"]), np.array(found["energy"])
        numbers.pooled["lips"][side] = pair
        (curve,) = lip_correlations(pair[0], [pair[1]])
        values["lip_correlation"] = float(curve.max())
        if curve.any():
            values["lip_lag"] = float(curve.argmax() - MAX_LAG)
    return numbers


def mouth_and_speech(clip: ClipVideos) -> Numbers:
    """What sync without a network is fitted on, for all clips together."""

    def features(video: DecodedVideo) -> NDArray[np.float32]:
        return sync_features(clip.face(video), clip.sound(video))

    fake, real = (
        clip.kept_with_sound("sync features", v, features) for v in (clip.fake, clip.real)
    )
    return Numbers(pooled={"speech_sync": {"fake": fake, "real": real}})


def mouth(clip: ClipVideos) -> Numbers:
    """LMD."""
    real, fake = clip.landmarks(clip.real), clip.landmarks(clip.fake)  # (T, 68, 2)
    sides = clip.of_both("shorter side", lambda video: min(video.frames[0].shape[:2]))
    return Numbers({"lmd": lmd(real, fake, real_side=sides[1], fake_side=sides[0])})


def identity(clip: ClipVideos) -> Numbers:
    """CSIM."""
    networks = clip.setup.networks
    networks.require(csim.WEIGHTS)

    def embed(video: DecodedVideo) -> NDArray[np.float64]:
        landmarks = clip.landmarks(video)
        return csim.embed(networks.get(csim.WEIGHTS), video.frames, landmarks)

    real, fake = (clip.array("csim", video, embed) for video in (clip.real, clip.fake))
    return Numbers({"csim": csim.csim(real, fake)})


def sync(clip: ClipVideos) -> Numbers:
    """SyncNet's numbers: AV offset and confidence, LSE-C, LSE-D."""
    networks = clip.setup.networks
    networks.require(av_sync.WEIGHTS)

    def measure(video: DecodedVideo) -> dict[str, float]:
        from benchmarks.networks.syncnet import embeddings

        landmarks, samples = clip.face(video), clip.sound(video)
        network = networks.get(av_sync.WEIGHTS)
        found = av_sync.synchrony(*embeddings(network, video.frames, landmarks, samples))
        return {
            "av_offset": float(found.offset),
            "av_confidence": found.confidence,
            "lse_c": found.confidence,
            "lse_d": found.distance,
        }

    return Numbers(*clip.of_both_with_sound("sync", measure))


def frame_features(clip: ClipVideos) -> Numbers:
    """Inception's features of every frame, for FID."""
    fake, real = clip.features("fid", fid.WEIGHTS, fid.fid_features)
    return Numbers(pooled={"fid": {"fake": fake, "real": real}})


def window_features(clip: ClipVideos) -> Numbers:
    """I3D's features of windows of 16 frames, for FVD."""
    fake, real = clip.features("fvd", fvd.WEIGHTS, fvd.fvd_features)
    return Numbers(pooled={"fvd": {"fake": fake, "real": real}})


def lip_reading(clip: ClipVideos) -> Numbers:
    """WER of the lip reader on the fake."""
    if clip.setup.read_lips is None:
        raise UnavailableError("no lip reader given; name yours with --lip-reader")
    spoken = transcript(clip.real_file)
    if not spoken:
        raise UnavailableError(
            "the words of the clip are not known: put them as NAME.txt beside the real clip"
        )
    errors = word_errors(spoken, words(clip.setup.read_lips(clip.fake_file)))
    pooled = {"wer": {"fake": [errors, len(spoken)]}}
    return Numbers({"wer": errors / len(spoken)}, pooled=pooled)


# Metrics that are measured together, in the order of their work.
FAMILIES: dict[tuple[str, ...], Callable[[ClipVideos], Numbers]] = {
    ("ofm", "ofm_equation", "f_mse", "f_mse_equation"): motion,
    ("cpbd",): blur,
    ("blinks_per_second", "blink_duration"): eyes,
    ("lip_lag", "lip_correlation"): lips_and_loudness,
    ("sync_lag", "sync_confidence"): mouth_and_speech,
    ("lmd",): mouth,
    ("csim",): identity,
    ("av_offset", "av_confidence", "lse_c", "lse_d"): sync,
    ("fid",): frame_features,
    ("fvd",): window_features,
    ("wer",): lip_reading,
}


def _drift_curve(name: str, curve: list[float]) -> dict[str, list[float]]:
    """A curve of a clip that is long enough to drift."""
    return {f"drift_{name}": curve} if len(curve) >= _LONG_ENOUGH else {}
