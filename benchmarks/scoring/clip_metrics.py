"""Families of metrics, each a function of the two videos of a clip."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips.decoded_video import DecodedVideo
from benchmarks.clips.paired_frames import FRAME_METRICS, frame_curves
from benchmarks.metrics.image import cpbd, csim, lpips
from benchmarks.metrics.image.region import region_boxes
from benchmarks.metrics.motion import beat_alignment, blinks, f_mse, ofm
from benchmarks.metrics.speech import av_sync, lmd, speech_sync, wer
from benchmarks.metrics.speech.lip_correlation import lip_curves
from benchmarks.scoring.clip_videos import ClipVideos
from benchmarks.scoring.pretrained import SYNC, UnavailableError
from pipeline.faces.sharpness import sharpness
from pipeline.media import FPS
from pipeline.speech.lip_sync import MAX_LAG
from pipeline.speech.shifts import lip_correlations

_DRIFTING = ("ssim", "psnr")  # what the report shows along a clip
_FRAMES_OF_A_BLINK = 4
_MOTION = ("ofm", "ofm_equation", "f_mse", "f_mse_equation")
_LONG_ENOUGH = 2 * FPS  # frames of a clip before what changes along it is worth a curve


@dataclass
class Numbers:
    """What the metrics of a clip fill in."""

    fake: dict[str, float] = field(default_factory=dict)  # values of the fake, by metric
    real: dict[str, float] = field(default_factory=dict)  # values of the real clip by itself
    # For the report, see `benchmarks.scoring.results.ClipRow`.
    curves: dict[str, list[float]] = field(default_factory=dict)
    # What the number over a set is made of where it is no mean over clips, by metric or family:
    # small values or keys of the cache of the `fake` and the `real` video.
    pooled: dict[str, Any] = field(default_factory=dict)

    def add_drift(self, name: str, curve: list[float]) -> None:
        """Takes up a curve of a clip that is long enough to drift."""
        if len(curve) >= _LONG_ENOUGH:
            self.curves[f"drift_{name}"] = curve


def frame_by_frame(clip: ClipVideos, out: Numbers) -> None:
    """SSIM, PSNR and MSE of frame k and frame k, in the region."""
    options = clip.setup.options
    region, names = options.region, [name for name in FRAME_METRICS if name in options.metrics]

    def measure() -> dict[str, list[float]]:
        real, fake = (video.at(clip.size) for video in (clip.real, clip.fake))
        boxes = None
        if region != "frame":
            scale = np.divide(clip.size, frame_size(clip.real))
            boxes = region_boxes(clip.face(clip.real) * scale, region, clip.size)
        return frame_curves(real, fake, names, boxes)

    for name, curve in clip.of_pair("frame by frame", measure, clip.size, region, names).items():
        out.fake[name] = float(np.mean(curve))
        if name in _DRIFTING:
            out.add_drift(name, np.round(curve, 4).tolist())


def looks(clip: ClipVideos, out: Numbers) -> None:
    """LPIPS."""
    networks = clip.setup.networks
    networks.require(lpips.WEIGHTS)

    def measure() -> list[float]:
        network = networks.get(lpips.WEIGHTS)
        real, fake = (video.at(clip.size) for video in (clip.real, clip.fake))
        return lpips.lpips(network, real, fake).tolist()

    out.fake["lpips"] = float(np.mean(clip.of_pair("lpips", measure, clip.size)))


def motion(clip: ClipVideos, out: Numbers) -> None:
    """OFM and F-MSE, both forms."""

    def measure(video: DecodedVideo) -> dict[str, float]:
        return dict(zip(_MOTION, (*ofm.ofm(video.frames), *f_mse.f_mse(video.frames)), strict=True))

    fake, real = clip.of_both("motion", measure)
    out.fake |= fake
    out.real |= real


def blur(clip: ClipVideos, out: Numbers) -> None:
    """CPBD at the compared size, and how sharp the face is over time."""

    def mean_cpbd(video: DecodedVideo) -> float:
        return float(np.mean([cpbd.cpbd(frame) for frame in video.at(clip.size)]))

    def face_sharpness(video: DecodedVideo) -> list[float | None]:
        values = [sharpness(frame) for frame in video.at(clip.size)]
        return [None if np.isnan(value) else value for value in values]

    out.fake["cpbd"], out.real["cpbd"] = clip.of_both("cpbd", mean_cpbd, clip.size)
    pairs = list(zip(*clip.of_both("sharpness", face_sharpness, clip.size), strict=True))
    if all(all(pair) for pair in pairs):  # else some face is one flat colour
        out.add_drift("sharpness", [round(of_fake / of_real, 4) for of_fake, of_real in pairs])


def eyes(clip: ClipVideos, out: Numbers) -> None:
    """Blinks a second and their duration."""
    pooled = out.pooled["blinks"] = {}

    def measure(side: str, video: DecodedVideo, values: dict[str, float]) -> None:
        landmarks = clip.face(video)  # (T, 68, 2)
        if len(landmarks) < _FRAMES_OF_A_BLINK:
            raise ValueError(f"a blink takes {_FRAMES_OF_A_BLINK} frames, more than the clip has")
        durations = [
            (end - begin) / FPS for begin, end in blinks.blinks(blinks.eye_aspect_ratio(landmarks))
        ]
        seconds = len(landmarks) / FPS
        pooled[side] = {"durations": durations, "seconds": seconds}
        values["blinks_per_second"], duration = blinks.rate_and_duration([durations], [seconds])
        if durations:
            values["blink_duration"] = duration

    _each_side(clip, out, measure)


def head_and_beats(clip: ClipVideos, out: Numbers) -> None:
    """Beat alignment."""

    def measure(_: str, video: DecodedVideo, values: dict[str, float]) -> None:
        score = clip.with_sound("beat alignment", video, beat_alignment.beat_alignment)
        values["beat_alignment"] = score

    _each_side(clip, out, measure)


def lips_and_loudness(clip: ClipVideos, out: Numbers) -> None:
    """Lip lag and correlation, and the curves of the report."""
    pooled = out.pooled["lips"] = {}

    def both_curves(face: NDArray[np.float64], samples: NDArray[np.int16]) -> list[list[float]]:
        return [np.round(curve, 4).tolist() for curve in lip_curves(face, samples)]  # (T,) each

    def measure(side: str, video: DecodedVideo, values: dict[str, float]) -> None:
        opening, energy = clip.with_sound("lips", video, both_curves)
        out.curves |= {f"lips_{side}": opening, "energy": energy}
        pair = pooled[side] = np.array(opening), np.array(energy)
        (curve,) = lip_correlations(pair[0], [pair[1]])
        values["lip_correlation"] = float(curve.max())
        if curve.any():
            values["lip_lag"] = float(curve.argmax() - MAX_LAG)

    _each_side(clip, out, measure)


def mouth_and_speech(clip: ClipVideos, out: Numbers) -> None:
    """What sync without a network is fitted on, for all clips together."""
    out.pooled["speech_sync"] = {
        side: clip.with_sound("sync features", video, speech_sync.sync_features, array=True)
        for side, video in (("fake", clip.fake), ("real", clip.real))
    }


def mouth(clip: ClipVideos, out: Numbers) -> None:
    """LMD."""
    real, fake = clip.landmarks(clip.real), clip.landmarks(clip.fake)  # (T, 68, 2)
    fake_size, real_size = clip.of_both("frame size", frame_size)
    out.fake["lmd"] = lmd.lmd(real, fake, real_side=min(real_size), fake_side=min(fake_size))


def identity(clip: ClipVideos, out: Numbers) -> None:
    """CSIM, and its cosines second by second."""
    networks = clip.setup.networks
    networks.require(csim.WEIGHTS)

    def embed(video: DecodedVideo) -> NDArray[np.float64]:
        landmarks = clip.landmarks(video)
        return csim.embed(networks.get(csim.WEIGHTS), video.frames, landmarks)

    real, fake = (clip.array("csim", video, embed) for video in (clip.real, clip.fake))
    cosines = csim.cosines(real, fake)
    out.fake["csim"] = float(cosines.mean())
    seconds = csim.per_second(cosines, csim.embedded_frames(clip.landmarks(clip.fake)))
    if len(seconds) >= 2:
        out.curves["drift_csim"] = [round(value, 4) for value in seconds]


def sync(clip: ClipVideos, out: Numbers) -> None:
    """SyncNet's numbers: AV offset and confidence, LSE-C, LSE-D."""
    networks = clip.setup.networks
    networks.require(av_sync.WEIGHTS)

    def measure(_: str, video: DecodedVideo, values: dict[str, float]) -> None:
        def synchrony(face: NDArray[np.float64], samples: NDArray[np.int16]) -> dict[str, float]:
            from benchmarks.networks.syncnet import embeddings

            network = networks.get(av_sync.WEIGHTS)
            found = av_sync.synchrony(*embeddings(network, video.frames, face, samples))
            numbers = float(found.offset), found.confidence, found.confidence, found.distance
            return dict(zip(SYNC, numbers, strict=True))

        values |= clip.with_sound("sync", video, synchrony)

    _each_side(clip, out, measure)


def frechet(metric: str, clip: ClipVideos, out: Numbers) -> None:
    """Features of every frame for FID, of every window for FVD."""
    pooled = {"fake": clip.features(metric, clip.fake)}
    if metric not in clip.setup.known_real:
        pooled["real"] = clip.features(metric, clip.real)
    out.pooled[metric] = pooled


def kernel(clip: ClipVideos, out: Numbers) -> None:
    """FID's features once more, for KID."""
    if "fid" in clip.setup.known_real:
        raise UnavailableError(
            "a reference holds mean and covariance, KID needs each frame: score without --reference"
        )
    fake, real = (clip.features("fid", video) for video in (clip.fake, clip.real))
    out.pooled["kid"] = {"fake": fake, "real": real}


def lip_reading(clip: ClipVideos, out: Numbers) -> None:
    """WER and CER of the lip reader on the fake."""
    if clip.setup.read_lips is None:
        raise UnavailableError("no lip reader given; name yours with --lip-reader")
    spoken = wer.transcript(clip.real_file)
    if not spoken:
        raise UnavailableError(
            "the words of the clip are not known: put them as NAME.txt beside the real clip"
        )
    read = wer.words(clip.setup.read_lips(clip.fake_file))
    text = " ".join(spoken)
    counts = [wer.errors(spoken, read), len(spoken), wer.errors(text, " ".join(read)), len(text)]
    out.pooled["wer"] = {"fake": counts}
    out.fake |= {"wer": counts[0] / counts[1], "cer": counts[2] / counts[3]}


# Metrics that are measured together, in the order of their work.
FAMILIES: dict[tuple[str, ...], Callable[[ClipVideos, Numbers], None]] = {
    tuple(FRAME_METRICS): frame_by_frame,
    ("lpips",): looks,
    _MOTION: motion,
    ("cpbd",): blur,
    ("blinks_per_second", "blink_duration"): eyes,
    ("beat_alignment",): head_and_beats,
    ("lip_lag", "lip_correlation"): lips_and_loudness,
    ("sync_lag", "sync_confidence"): mouth_and_speech,
    ("lmd",): mouth,
    ("csim",): identity,
    SYNC: sync,
    ("fid",): partial(frechet, "fid"),
    ("kid",): kernel,
    ("fvd",): partial(frechet, "fvd"),
    ("wer", "cer"): lip_reading,
}


def _each_side(
    clip: ClipVideos, out: Numbers, measure: Callable[[str, DecodedVideo, dict[str, float]], None]
) -> None:
    """Measures both videos by themselves; what one of them lacks does not cost the other."""
    problems = []
    for side, video, values in (("real", clip.real, out.real), ("fake", clip.fake, out.fake)):
        try:
            measure(side, video, values)
        except ValueError as error:
            problems.append(error)
    if problems:
        raise problems[-1]


def frame_size(video: DecodedVideo) -> tuple[int, int]:
    """Width and height."""
    return video.frames[0].shape[1], video.frames[0].shape[0]
