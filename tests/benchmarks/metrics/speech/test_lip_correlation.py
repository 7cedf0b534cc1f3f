"""The curves that lip lag and correlation compare."""

import numpy as np
import pytest

from benchmarks.metrics.speech.lip_correlation import lip_curves


def landmarks_of(opening):
    """Faces whose lips open like this."""
    landmarks = np.zeros((len(opening), 68, 2))
    landmarks[:, 45, 0] = 10
    landmarks[:, 66, 1] = 10 * np.asarray(opening)
    return landmarks


def test_curves_are_a_number_a_frame():
    landmarks = landmarks_of(np.linspace(0, 0.3, 50))
    opening, energy = lip_curves(landmarks, np.full(40 * 640, 1000, np.int16))
    assert opening == pytest.approx(np.linspace(0, 0.3, 50))
    assert energy[:40] == pytest.approx(20 * np.log10(1000 / 32768), abs=1e-3)
    assert energy[40:] == pytest.approx(-100)
    with pytest.raises(ValueError, match="at least 20 frames"):
        lip_curves(landmarks[:19], np.zeros(640, np.int16))
