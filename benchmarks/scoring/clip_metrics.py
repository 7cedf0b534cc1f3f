"""The numbers of one clip, family by family, from two videos decoded once."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from benchmarks.metrics import av_sync, csim, fid, fvd
from benchmarks.metrics.blinks import blinks, eye_aspect_ratio, held, rate_and_duration
from benchmarks.metrics.cpbd import cpbd
from benchmarks.metrics.f_mse import f_mse
from benchmarks.metrics.lip_correlation import lag_and_peak, lip_correlations, lip_curves
from benchmarks.metrics.lmd import lmd
from benchmarks.metrics.ofm import ofm
from benchmarks.metrics.wer import word_errors, words
from benchmarks.scoring.cache import key_of
from benchmarks.scoring.pretrained import LANDMARKS, AbsentError
from pipeline.faces.sharpness import sharpness
from pipeline.media import FPS

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.clips.decoded_video import Video
    from benchmarks.clips.paired_frames import Comparison
    from benchmarks.scoring.cache import MeasurementCache
    from benchmarks.scoring.pretrained import Networks

_DRIFTING = 2  # seconds of a clip before what changes along it is worth a curve
_SEEN = 0.5  # share of the frames that must show a face for what is measured of faces


@dataclass
class ClipMeasures:
    """A clip under measurement: every method adds the numbers of one family of metrics."""

    kit: Kit
    real: Video
    fake: Video
    size: tuple[int, int]
    values: dict[str, float] = field(default_factory=dict)
    real_values: dict[str, float] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    evidence: dict[str, Any] = field(default_factory=dict)

    def drop(self, names: Sequence[str], reason: str) -> None:
        """Takes back numbers of a family of which a part could not be measured, with the reason."""
        for name in names:
            self.values.pop(name, None)
            self.real_values.pop(name, None)
            self.missing[name] = reason

    def motion(self) -> None:
        """OFM and F-MSE, both forms."""
        for video, values in ((self.fake, self.values), (self.real, self.real_values)):
            values.update(self._record("motion", video, _motion))

    def frames(self, comparison: Comparison) -> None:
        """What comparing frame by frame gave."""
        self.values.update(comparison["values"])
        for name, curve in comparison["curves"].items():
            self._drift(name, curve)

    def sharpness(self) -> None:
        """CPBD at the compared size, and how sharp the face is over time."""
        for video, values in ((self.fake, self.values), (self.real, self.real_values)):
            values["cpbd"] = self._record("cpbd", video, self._mean_cpbd, self.size)
        real, fake = (
            self._record("sharpness", video, self._edge_frequencies, self.size)
            for video in (self.real, self.fake)
        )
        pairs = list(zip(real, fake, strict=False))
        if all(all(pair) for pair in pairs):  # else some face is one flat colour
            self._drift("sharpness", [round(y / x, 4) for x, y in pairs])

    def _edge_frequencies(self, video: Video) -> list[float | None]:
        found = [sharpness(frame) for frame in video.at(self.size)]
        return [None if np.isnan(one) else one for one in found]

    def _drift(self, name: str, curve: list[float]) -> None:
        """Keeps a curve of a clip that is long enough to drift."""
        if len(curve) >= _DRIFTING * FPS:
            self.curves[f"drift_{name}"] = curve

    def _mean_cpbd(self, video: Video) -> float:
        return float(np.mean([cpbd(frame) for frame in video.at(self.size)]))

    def eyes(self) -> None:
        """Blinks."""
        found = {}
        for side, video, values in self._sides():
            points = self._face(video)
            durations = [blink.seconds for blink in blinks(eye_aspect_ratio(points))]
            seconds = len(points) / FPS
            found[side] = {"durations": durations, "seconds": seconds}
            values["blinks_per_second"], duration = rate_and_duration([durations], [seconds])
            if durations:
                values["blink_duration"] = duration
        self.evidence["blinks"] = found

    def lips(self) -> None:
        """Lip lag and correlation, and the curves of the report."""
        found = {}
        for side, video, values in self._sides():
            followed = self._record("lips", video, self._lip_curves, self._sound_digest(video))
            lag, values["lip_correlation"] = lag_and_peak([np.array(followed["correlations"])])
            if not np.isnan(lag):
                values["lip_lag"] = lag
            found[side] = followed["correlations"]
            self.curves[f"lips_{side}"] = followed["opening"]
            if side == "fake":
                self.curves["energy"] = followed["energy"]
        self.evidence["lips"] = found

    def _lip_curves(self, video: Video) -> dict[str, list[float]]:
        opening, energy = lip_curves(self._face(video), self._samples(video))
        return {
            "correlations": lip_correlations(opening, energy).tolist(),
            "opening": np.round(opening, 4).tolist(),
            "energy": np.round(energy, 4).tolist(),
        }

    def mouth(self) -> None:
        """LMD."""
        real, fake = self._points(self.real), self._points(self.fake)
        sides = [min(self._shape(video)[1:]) for video in (self.real, self.fake)]
        self.values["lmd"] = lmd(real, fake, *sides)

    def identity(self) -> None:
        """CSIM."""
        networks = self.kit.networks
        networks.require(csim.WEIGHTS)

        def embed(video: Video) -> NDArray[np.float64]:
            points = self._points(video)
            return csim.embed(networks.get(csim.WEIGHTS), video.frames, points)

        real, fake = (self._array("csim", video, embed) for video in (self.real, self.fake))
        self.values["csim"] = csim.csim(real, fake)

    def sync(self) -> None:
        """SyncNet's numbers."""
        networks = self.kit.networks
        networks.require(av_sync.WEIGHTS)

        def measure(video: Video) -> dict[str, float]:
            from benchmarks.networks.syncnet import embeddings

            points, samples = self._face(video), self._samples(video)
            network = networks.get(av_sync.WEIGHTS)
            found = av_sync.synchrony(*embeddings(network, video.frames, points, samples))
            return {
                "av_offset": float(found.offset),
                "av_confidence": found.confidence,
                "lse_c": found.confidence,
                "lse_d": found.distance,
            }

        for _, video, values in self._sides():
            values.update(self._record("sync", video, measure, self._sound_digest(video)))

    def frame_features(self) -> None:
        """Inception's features, for FID."""
        self.evidence["fid"] = self._features("fid", fid.WEIGHTS, fid.fid_features)

    def window_features(self) -> None:
        """I3D's features, for FVD."""
        self.evidence["fvd"] = self._features("fvd", fvd.WEIGHTS, fvd.fvd_features)

    def words(self, said: list[str] | None, fake_path: Path) -> None:
        """Errors of the lip reader."""
        if self.kit.read_lips is None:
            raise AbsentError("no lip reader given; name yours with --lip-reader")
        if not said:
            raise AbsentError("what is said is not known: put NAME.txt beside the real clip")
        errors = word_errors(said, words(self.kit.read_lips(fake_path)))
        self.values["wer"] = errors / len(said)
        self.evidence["wer"] = [errors, len(said)]

    def _sides(self) -> tuple[tuple[str, Video, dict[str, float]], ...]:
        return ("fake", self.fake, self.values), ("real", self.real, self.real_values)

    def _features(
        self, name: str, weights: str, extract: Callable[..., NDArray[np.float32]]
    ) -> list[str]:
        """Keys of the real and the fake features in the cache."""
        networks = self.kit.networks
        networks.require(weights)

        def compute(video: Video) -> NDArray[np.float32]:
            return extract(networks.get(weights), video.at(self.size))

        keys = []
        for video in (self.real, self.fake):
            key = self._key(name, video, self.size, networks.precision)
            features = self.kit.cache.array(key, partial(compute, video))
            if not len(features):
                raise ValueError(f"{video.name} is shorter than a window of 16 frames")
            keys.append(key)
        return keys

    def _points(self, video: Video) -> NDArray[np.float32]:
        """Landmarks of every frame, NaN without a face."""
        networks = self.kit.networks
        networks.require(LANDMARKS)
        return self._array(
            "landmarks", video, lambda video: networks.get(LANDMARKS).track(video.frames).points
        )

    def _face(self, video: Video) -> NDArray[np.float64]:
        """Landmarks of every frame, gaps filled from before.

        Raises:
            ValueError: most frames show no face.
        """
        points = self._points(video)
        share = float((~np.isnan(points).any((1, 2))).mean())
        filled = held(points)
        if filled is None or share < _SEEN:
            raise ValueError(f"{video.name} shows a face in {share:.0%} of its frames")
        return filled

    def _shape(self, video: Video) -> list[int]:
        """Frames, height and width."""
        return cast(
            "list[int]",
            self._record("shape", video, lambda v: [len(v.frames), *v.frames[0].shape[:2]]),
        )

    def _samples(self, video: Video) -> NDArray[np.int16]:
        """The sound of a video; of the real clip, which the fake imitates, if it has none.

        Raises:
            ValueError: neither has any.
        """
        samples = video.samples if video.samples is not None else self.real.samples
        if samples is None:
            raise ValueError("neither video has sound")
        return samples

    def _sound_digest(self, video: Video) -> str:
        sounds = self._record("sounds", video, lambda video: video.samples is not None)
        return video.digest if sounds else self.real.digest

    def _key(self, what: str, video: Video, *more: Any) -> str:
        return key_of(what, video.digest, video.limit, *more)

    def _record(self, what: str, video: Video, compute: Callable[[Video], Any], *more: Any) -> Any:
        return self.kit.cache.record(self._key(what, video, *more), lambda: compute(video))

    def _array(
        self, what: str, video: Video, compute: Callable[[Video], NDArray[Any]]
    ) -> NDArray[np.float32]:
        return self.kit.cache.array(
            self._key(what, video), lambda: np.asarray(compute(video), np.float32)
        )


def _motion(video: Video) -> dict[str, float]:
    released, magnitude = ofm(video.frames)
    wrapped, squared = f_mse(video.frames)
    return {
        "ofm": released,
        "ofm_equation": magnitude,
        "f_mse": wrapped,
        "f_mse_equation": squared,
    }


@dataclass(frozen=True)
class Kit:
    """What measuring needs besides the clip.

    Attributes:
        metrics: names of those that are wanted.
        networks: the pretrained ones.
        cache: where measurements are kept.
        image_size: pixels of the shorter side at which frames are compared; None: the real's.
        read_lips: a lip reader, from the path of a video to the words; None without one.
    """

    metrics: tuple[str, ...]
    networks: Networks
    cache: MeasurementCache
    image_size: int | None = None
    read_lips: Callable[[Path], str] | None = None
