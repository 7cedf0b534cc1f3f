"""Both videos of a clip, decoded once, and what several metrics need of them: faces and sound."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.clips.cache import MeasurementCache, key_of
from benchmarks.clips.decoded_video import DecodedVideo
from benchmarks.metrics.distribution import fid, fvd
from benchmarks.metrics.motion.blinks import held
from benchmarks.scoring.pretrained import LANDMARKS, Networks
from benchmarks.scoring.score_options import ScoreOptions

Features = tuple[str, int | None]  # a key of the cache, and how many rows of its array count

# File and features of the networks of Fréchet distances.
NETWORK_FEATURES: dict[str, tuple[str, Callable[..., NDArray[np.float32]]]] = {
    "fid": (fid.WEIGHTS, fid.fid_features),
    "fvd": (fvd.WEIGHTS, fvd.fvd_features),
}
_SILENT = 3  # of 32768: what coders make of silence
_SHARE_WITH_FACE = 0.5  # of the frames, for what is measured of faces


@dataclass(frozen=True)
class MeasureSetup:
    """What measuring needs besides the clip."""

    options: ScoreOptions  # of the run, with the names of the metrics to measure
    networks: Networks  # the pretrained ones
    cache: MeasurementCache  # where measurements are kept
    # From the path of a video to the words read off its lips; None without one.
    read_lips: Callable[[Path], str] | None = None
    known_real: frozenset[str] = frozenset()  # metrics whose real side a reference has


@dataclass(frozen=True)
class ClipVideos:
    """The real video of a clip and the fake that imitates it; every measurement is cached."""

    setup: MeasureSetup  # options, networks and cache
    real: DecodedVideo  # the real clip
    fake: DecodedVideo  # the generated video
    size: tuple[int, int]  # width and height at which the two are compared
    real_file: Path  # the file that the real clip was made from; its transcript lies beside it
    fake_file: Path  # of the fake, for the lip reader

    def of_both(
        self, what: str, measure: Callable[[DecodedVideo], Any], *options: Any
    ) -> tuple[Any, Any]:
        """A JSON value of the fake and of the real video, which these options shape."""
        return (
            self._record(what, self.fake, measure, *options),
            self._record(what, self.real, measure, *options),
        )

    def of_pair(self, what: str, measure: Callable[[], Any], *options: Any) -> Any:
        """A JSON value of both videos together, which these options shape."""
        key = self._key(what, self.real, self.fake.digest, self.fake.max_frames, *options)
        return self.setup.cache.record(key, measure)

    def with_sound(
        self,
        what: str,
        video: DecodedVideo,
        measure: Callable[[NDArray[np.float64], NDArray[np.int16]], Any],
        *,
        array: bool = False,
    ) -> Any:
        """What the landmarks and the sound of a video give: a JSON value, or an array's key."""
        face, source = self.face(video), self.sound_of(video)
        key = self._key(what, video, source.digest)
        keep = self.setup.cache.array if array else self.setup.cache.record
        value = keep(key, lambda: measure(face, np.asarray(source.samples)))
        return key if array else value

    def features(self, metric: str, video: DecodedVideo) -> Features:
        """Where the features, (N, D), of FID's or FVD's network are.

        They are of the video before it was cut, so that a real clip's are the same for all fakes.
        """
        weights, extract = NETWORK_FEATURES[metric]
        networks = self.setup.networks
        window = self.setup.options.fvd_frames if metric == "fvd" else 1
        networks.require(weights)
        whole = video.whole or video
        options = {} if metric == "fid" else {"window": window}
        key = self._key(metric, whole, self.size, networks.options.precision, options)
        features = self.setup.cache.array(
            key, lambda: extract(networks.get(weights), whole.at(self.size), **options)
        )
        count = video.max_frames // window if video.whole else None
        if not len(features[:count]):
            raise ValueError(f"{video.name} is shorter than a window of {window} frames")
        return key, count

    def landmarks(self, video: DecodedVideo) -> NDArray[np.float32]:
        """(T, 68, 2) in pixels of the video; NaN without a face."""
        networks = self.setup.networks
        networks.require(LANDMARKS)
        return self.array(
            "landmarks", video, lambda video: networks.get(LANDMARKS).track(video.frames).points
        )

    def face(self, video: DecodedVideo) -> NDArray[np.float64]:
        """(T, 68, 2) landmarks, gaps filled from the frame before."""
        points = self.landmarks(video)
        share = float((~np.isnan(points).any((1, 2))).mean())
        filled = held(points)
        if filled is None or share < _SHARE_WITH_FACE:
            raise ValueError(f"{video.name} shows a face in {share:.0%} of its frames")
        return filled

    def sound_of(self, video: DecodedVideo) -> DecodedVideo:
        """The video whose sound counts: itself, or the real clip where it has none."""
        for one in (video, self.real):
            peak = self._record("sound peak", one, _peak)
            if peak is not None:
                if peak <= _SILENT:
                    raise ValueError(f"the sound of {one.name} is silent")
                return one
        raise ValueError("neither video has sound")

    def array(
        self, what: str, video: DecodedVideo, measure: Callable[[DecodedVideo], NDArray[Any]]
    ) -> NDArray[np.float32]:
        """A measurement of a video that is an array."""
        return self.setup.cache.array(
            self._key(what, video), lambda: np.asarray(measure(video), np.float32)
        )

    def _key(self, what: str, video: DecodedVideo, *options: Any) -> str:
        return key_of(what, video.digest, video.max_frames, *options)

    def _record(
        self, what: str, video: DecodedVideo, measure: Callable[[DecodedVideo], Any], *options: Any
    ) -> Any:
        return self.setup.cache.record(self._key(what, video, *options), lambda: measure(video))


def _peak(video: DecodedVideo) -> int | None:
    """The loudest sample of a video; None without sound."""
    samples = video.samples
    return None if samples is None else int(np.abs(samples.astype(np.int32)).max(initial=0))
