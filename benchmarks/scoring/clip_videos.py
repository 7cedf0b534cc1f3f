"""Both videos of a clip, decoded once, and what several metrics need of them: faces and sound."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.metrics.blinks import held
from benchmarks.scoring.cache import key_of
from benchmarks.scoring.pretrained import LANDMARKS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from benchmarks.clips.decoded_video import DecodedVideo
    from benchmarks.scoring.cache import MeasurementCache
    from benchmarks.scoring.pretrained import Networks

_SHARE_WITH_FACE = 0.5  # of the frames, for what is measured of faces


@dataclass(frozen=True)
class MeasureSetup:
    """What measuring needs besides the clip.

    Attributes:
        metrics: names of those to measure.
        networks: the pretrained ones.
        cache: where measurements are kept.
        image_size: pixels of the shorter side at which frames are compared; None: the real's.
        read_lips: from the path of a video to the words read off its lips; None without one.
    """

    metrics: tuple[str, ...]
    networks: Networks
    cache: MeasurementCache
    image_size: int | None = None
    read_lips: Callable[[Path], str] | None = None


@dataclass(frozen=True)
class ClipVideos:
    """The real video of a clip and the fake that imitates it; every measurement is cached.

    Attributes:
        setup: metrics, networks and cache.
        real: the real clip.
        fake: the generated video.
        size: width and height at which the two are compared.
        real_file: the file that the real clip was made from; its transcript lies beside it.
        fake_file: of the fake, for the lip reader.
    """

    setup: MeasureSetup
    real: DecodedVideo
    fake: DecodedVideo
    size: tuple[int, int]
    real_file: Path
    fake_file: Path

    def of_both(
        self, what: str, measure: Callable[[DecodedVideo], Any], *options: Any
    ) -> tuple[Any, Any]:
        """A JSON value of the fake and of the real video, which these options shape."""
        return (
            self._record(what, self.fake, measure, *options),
            self._record(what, self.real, measure, *options),
        )

    def of_both_with_sound(
        self, what: str, measure: Callable[[DecodedVideo], Any]
    ) -> tuple[Any, Any]:
        """The same of what picture and sound give together; a mute fake takes the real's sound."""
        return (
            self._record(what, self.fake, measure, self._sound_digest(self.fake)),
            self._record(what, self.real, measure, self._sound_digest(self.real)),
        )

    def kept_with_sound(
        self, what: str, video: DecodedVideo, measure: Callable[[DecodedVideo], NDArray[np.float32]]
    ) -> str:
        """Cache key of an array that picture and sound give together."""
        key = self._key(what, video, self._sound_digest(video))
        self.setup.cache.array(key, lambda: measure(video))
        return key

    def features(
        self, what: str, weights: str, extract: Callable[[Any, Any], NDArray[np.float32]]
    ) -> tuple[str, str]:
        """Cache keys of a network's features of the fake and the real frames, (N, D) each."""
        networks = self.setup.networks
        networks.require(weights)

        def keep(video: DecodedVideo) -> str:
            key = self._key(what, video, self.size, networks.precision)
            features = self.setup.cache.array(
                key, lambda: extract(networks.get(weights), video.at(self.size))
            )
            if not len(features):
                raise ValueError(f"{video.name} is shorter than a window of 16 frames")
            return key

        return keep(self.fake), keep(self.real)

    def landmarks(self, video: DecodedVideo) -> NDArray[np.float32]:
        """(T, 68, 2) in pixels of the video; NaN without a face."""
        networks = self.setup.networks
        networks.require(LANDMARKS)
        return self.array(
            "landmarks", video, lambda video: networks.get(LANDMARKS).track(video.frames).points
        )

    def face(self, video: DecodedVideo) -> NDArray[np.float64]:
        """(T, 68, 2) landmarks, gaps filled from the frame before.

        Raises:
            ValueError: most frames show no face.
        """
        points = self.landmarks(video)
        share = float((~np.isnan(points).any((1, 2))).mean())
        filled = held(points)
        if filled is None or share < _SHARE_WITH_FACE:
            raise ValueError(f"{video.name} shows a face in {share:.0%} of its frames")
        return filled

    def sound(self, video: DecodedVideo) -> NDArray[np.int16]:
        """The sound of a video; of the real clip, which the fake imitates, if it has none.

        Raises:
            ValueError: neither has any.
        """
        samples = video.samples if video.samples is not None else self.real.samples
        if samples is None:
            raise ValueError("neither video has sound")
        return samples

    def array(
        self, what: str, video: DecodedVideo, measure: Callable[[DecodedVideo], NDArray[Any]]
    ) -> NDArray[np.float32]:
        """A measurement of a video that is an array."""
        return self.setup.cache.array(
            self._key(what, video), lambda: np.asarray(measure(video), np.float32)
        )

    def _sound_digest(self, video: DecodedVideo) -> str:
        has_sound = self._record("has sound", video, lambda video: video.samples is not None)
        return video.digest if has_sound else self.real.digest

    def _key(self, what: str, video: DecodedVideo, *options: Any) -> str:
        return key_of(what, video.digest, video.max_frames, *options)

    def _record(
        self, what: str, video: DecodedVideo, measure: Callable[[DecodedVideo], Any], *options: Any
    ) -> Any:
        return self.setup.cache.record(self._key(what, video, *options), lambda: measure(video))
