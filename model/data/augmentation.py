"""Augmentation of a clip as a whole: all pictures of a training frame are changed alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dct, idct

from model.config.recipe import Augmentation
from pipeline.faces.mouth_box import MOUTH
from pipeline.speech.mfcc import COEFFICIENTS

_FILTERS, _LIFTER, _NYQUIST = 26, 22, 8000  # of the MFCC, see pipeline.speech.mfcc
# Landmarks 48 … 67 of a mirrored face, as numbers in that range.
_MIRRORED_LIPS = np.array([*range(6, -1, -1), *range(11, 6, -1), *range(16, 11, -1), 19, 18, 17])
assert len(_MIRRORED_LIPS) == MOUTH.stop - MOUTH.start


@dataclass(frozen=True)
class ClipChange:
    """What is done to the pictures of a training frame, to their geometry and to their speech."""

    matrix: NDArray[np.float64]  # (2, 3), where a point of the frame goes, in pixels
    mirrored: bool  # left and right are exchanged
    gain: float  # of contrast about grey
    shift: NDArray[np.float64]  # (3,) added to each colour channel, in pixel values
    sigma: float  # of a Gaussian blur, in pixels; 0 is none
    log_energy: float  # added to the speech's log energy
    stretch: float  # of the speech's envelope along frequency; above 1 is a shorter throat

    @classmethod
    def drawn(cls, options: Augmentation, size: int, rng: np.random.Generator) -> ClipChange:
        """One for frames of `size` x `size`; the same draws whatever is switched on."""
        mirrored = bool(rng.random() < options.mirror)
        zoom, turn, x, y, gain, red, green, blue, level, stretch = rng.uniform(-1, 1, 10)
        sigma = options.blur / 100 * size * rng.random()

        # Zoom and turn about the middle, then move; a mirrored frame first exchanges its sides.
        scale, angle = np.exp(options.similarity * zoom), options.similarity * turn
        cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
        linear = np.array([[cosine, -sine], [sine, cosine]]) @ np.diag([1 - 2 * mirrored, 1])
        middle = (size - 1) / 2
        moved = middle + options.similarity * size / 2 * np.array([x, y])
        matrix = np.column_stack([linear, moved - linear @ [middle, middle]])

        shift = 255 * options.colour * np.array([red, green, blue])
        log_energy = options.level / 10 * np.log(10) * level
        stretch = float(np.exp(options.voice * stretch))
        gain = 1 + options.colour * gain
        return cls(matrix, mirrored, float(gain), shift, sigma, float(log_energy), stretch)

    def frame(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """An (S, S, 3) uint8 picture, moved, blurred and recoloured; its edges are reflected."""
        moved = cv2.warpAffine(
            frame, self.matrix, frame.shape[:2], borderMode=cv2.BORDER_REFLECT_101
        )
        if self.sigma:
            moved = cv2.GaussianBlur(moved, (0, 0), self.sigma)
        coloured = (moved - 127.5) * self.gain + 127.5 + self.shift
        return cast("NDArray[np.uint8]", np.clip(coloured, 0, 255).round().astype(np.uint8))

    def box(self, box: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        """The half-open box around a moved one, within the frame."""
        x0, y0, x1, y1 = (box - [0, 0, 1, 1]).tolist()  # first and last pixels
        corners = np.array([[x0, y0, 1], [x1, y0, 1], [x0, y1, 1], [x1, y1, 1]])
        moved = corners @ self.matrix.T  # (4, 2)
        low = np.clip(np.floor(moved.min(0)), 0, size - 1)
        high = np.clip(np.ceil(moved.max(0)) + 1, low + 1, size)
        return np.concatenate([low, high]).astype(np.int64)

    def lips(self, shape: NDArray[np.float32]) -> NDArray[np.float32]:
        """The (40,) lip shape of `lip_shape`, turned and mirrored with the face."""
        points = shape.reshape(-1, 2) @ self.matrix[:, :2].T
        points = points[_MIRRORED_LIPS] if self.mirrored else points
        return points.astype(np.float32).ravel()

    def mfcc(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(…, 18 x 13) MFCC windows of the same words, louder or softer, by another voice."""
        cepstra = windows.reshape(*windows.shape[:-1], -1, COEFFICIENTS)
        changed = cepstra @ _stretching(self.stretch).T
        changed[..., 0] = np.maximum(cepstra[..., 0] + self.log_energy, 0)  # as in mfcc_windows
        return changed.reshape(windows.shape).astype(np.float32)


def _stretching(factor: float) -> NDArray[np.float64]:
    """(13, 13), which stretches the spectral envelope of MFCC along frequency by a factor.

    The cepstra become log energies of the 26 mel filters, which are read at the frequencies that
    the stretched envelope takes them from (vocal tract length perturbation, Jaitly & Hinton 2013).
    """
    lift = 1 + _LIFTER / 2 * np.sin(np.pi * np.arange(COEFFICIENTS) / _LIFTER)
    cepstra = np.eye(COEFFICIENTS) / lift  # row k: coefficient k alone
    cepstra[0, 0] = 0  # the log energy says nothing of the envelope
    envelopes = idct(cepstra, n=_FILTERS, axis=1, norm="ortho")  # (13, 26)
    top = np.log1p(_NYQUIST / 700)
    mel = top * np.arange(1, _FILTERS + 1) / (_FILTERS + 1)
    source = np.log1p(np.expm1(mel) / factor)
    stretched = [np.interp(source, mel, envelope) for envelope in envelopes]
    return np.asarray(dct(np.stack(stretched), axis=1, norm="ortho")[:, :COEFFICIENTS] * lift).T
