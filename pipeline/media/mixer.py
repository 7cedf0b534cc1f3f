"""Decoded sound of any format as 16-bit samples of one rate, in one channel or two."""

from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from pipeline.media.notes import Note

_CANCELLING = 0.1  # energy of the mix over that of its loudest channel; one silent channel: 0.25
# Weight of a channel of a surround layout in the mix to mono, and in the left and right of stereo.
# The centre, where the voice is, keeps its level; effects of low frequency (LFE) are left out.
_SURROUND = {
    "FC": (1.0, 0.71, 0.71), "FL": (0.5, 1.0, 0.0), "FR": (0.5, 0.0, 1.0),
    "SL": (0.35, 0.5, 0.0), "SR": (0.35, 0.0, 0.5), "BL": (0.35, 0.5, 0.0),
    "BR": (0.35, 0.0, 0.5), "BC": (0.35, 0.35, 0.35), "LFE": (0.0, 0.0, 0.0),
}  # fmt: skip


class Mixer:
    """Converts frames, whose format may change, to samples of one rate.

    Stereo is mixed to mono by FFmpeg as the mean of both. Its mix of more channels would scale
    them all down, the voice by 10.7 dB in 5.1, so that they are mixed here by `_SURROUND`. The
    result has one channel if `mono`, else as many as the source, two at most; `only` is the one
    channel of the source to take in place of a mix.
    """

    def __init__(self, *, mono: bool, only: int | None = None) -> None:
        self._mono, self._only = mono, only
        self._notes: set[Note] = set()
        self.open(0, 1)

    def open(self, rate: int, channels: int) -> None:
        """Begins a file: `rate` in Hz of the result, `channels` of the source."""
        self._rate, self._layout = rate, "mono" if self._mono or channels == 1 else "stereo"
        self._format: tuple[str, str, int] | None = None
        self._resampler: av.AudioResampler | None = None
        self._weights: NDArray[np.float32] | None = None  # (channels, 1 or 2); None: FFmpeg mixes
        self._energy: NDArray[np.float64] = np.zeros(0)  # of every channel, the mix being last

    @property
    def notes(self) -> tuple[Note, ...]:
        """How channels were chosen or mixed."""
        return tuple(sorted(self._notes))

    def is_new_format(self, frame: Any) -> bool:
        """Whether a frame's format differs from that of the frame before it."""
        return _format(frame) != self._format

    def mixed(self, frame: Any) -> list[NDArray[np.int16]]:
        """The samples of a frame, each array (N,) or (N, 2); None flushes the rest."""
        done: list[NDArray[np.int16]] = []
        if self._resampler is not None and (frame is None or self.is_new_format(frame)):
            done = self._resampled(None)
            self._resampler = None
        if frame is None:
            return done
        if self._resampler is None:
            self._format = _format(frame)
            self._weights = self._choose_weights(frame.layout)
            # Without a layout the resampler keeps the channels of the source.
            layout = self._layout if self._weights is None else None
            self._resampler = av.AudioResampler("s16", layout, self._rate)
        if self._weights is None and frame.layout.nb_channels == 2:
            self._measure(_channels(frame))
        return done + self._resampled(frame)

    def _resampled(self, frame: Any) -> list[NDArray[np.int16]]:
        assert self._resampler is not None
        done: list[Any] = self._resampler.resample(frame)
        parts = [part.to_ndarray().reshape(-1, part.layout.nb_channels) for part in done]
        if self._weights is not None:
            for part in parts:
                self._measure(part.T.astype(np.float64))
            mixes = (part @ self._weights for part in parts)  # (N, channels) by (channels, 1 or 2)
            parts = [np.clip(np.round(mix), -32768, 32767).astype(np.int16) for mix in mixes]
        return [part[:, 0] if part.shape[1] == 1 else part for part in parts]

    def loudest_of_cancelling(self) -> int | None:
        """The loudest channel where the mix to mono is far quieter than it, as in antiphase."""
        *channels, mix = self._energy if len(self._energy) else (0.0, 0.0)
        loudest = max(channels)
        return channels.index(loudest) if mix < _CANCELLING * loudest else None

    def _choose_weights(self, layout: Any) -> NDArray[np.float32] | None:
        count = layout.nb_channels
        if self._only is not None and count > self._only:
            self._notes.add("loudest-channel")
            return np.eye(count, dtype=np.float32)[:, [self._only]]
        if count <= 2:
            return None
        self._notes.add("surround-mixed")
        unknown = (1 / count,) * 3
        rows = [_SURROUND.get(channel.name, unknown) for channel in layout.channels]
        weights = np.array(rows, np.float32)
        return weights[:, :1] if self._layout == "mono" else weights[:, 1:]

    def _measure(self, samples: NDArray[np.float64]) -> None:
        """Adds the energy of the (channels, N) samples and of their mix to mono."""
        if not self._mono or self._only is not None:
            return
        if self._weights is None:
            mix = samples.mean(0)
        else:
            weights = self._weights[:, 0]
            mix = weights @ samples
            samples[weights == 0] = 0  # what is left out does not count
        energy = (np.vstack([samples, mix]) ** 2).sum(1)
        if len(energy) != len(self._energy):  # another layout: what came before does not count
            self._energy = np.zeros(len(energy))
        self._energy += energy


def _channels(frame: Any) -> NDArray[np.float64]:
    """(channels, N) samples of a frame of seven channels or fewer.

    Where there are more, PyAV 18.1 takes what lies behind their pointers for planes.
    """
    with np.errstate(invalid="ignore"):  # damaged sound may hold what is no number
        samples = np.nan_to_num(frame.to_ndarray().astype(np.float64))
    if not frame.format.is_planar:
        samples = samples.reshape(-1, frame.layout.nb_channels).T
    return samples - 128 if frame.format.name.startswith("u8") else samples


def _format(frame: Any) -> tuple[str, str, int]:
    """Sample format, channel layout and rate."""
    return frame.format.name, frame.layout.name, frame.sample_rate
