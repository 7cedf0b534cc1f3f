"""LMD on mouths whose distance is known."""

import numpy as np
import pytest

from benchmarks.metrics.speech.lmd import lmd


def faces(count=6, seed=0):
    return np.random.default_rng(seed).uniform(20, 100, (count, 68, 2)).astype(np.float32)


def test_a_mouth_stretched_about_its_middle_is_as_far_as_it_is_stretched():
    real = faces()
    middle = real[:, 48:].mean(1, keepdims=True)
    fake = real.copy()
    fake[:, 48:] = middle + 1.5 * (real[:, 48:] - middle)
    expected = 0.5 * np.linalg.norm(real[:, 48:] - middle, axis=-1).mean()
    assert lmd(real, fake, 128, 128) == pytest.approx(expected, rel=1e-5)


def test_where_the_mouth_is_and_what_the_eyes_do_does_not_count():
    real = faces()
    fake = real + np.float32(9)
    fake[:, :48] += 30
    assert lmd(real, fake, 128, 128) == pytest.approx(0, abs=1e-4)


def test_pixels_are_those_of_128():
    real, fake = faces(), faces(seed=1)
    assert lmd(2 * real, 3 * fake, 256, 384) == pytest.approx(lmd(real, fake, 128, 128), rel=1e-5)
    assert lmd(2 * real, 2 * fake, 128, 128) == pytest.approx(2 * lmd(real, fake, 128, 128))


def test_frames_without_a_face_on_a_side_are_left_out():
    real, fake = faces(), faces(5, seed=1)
    expected = lmd(real[[1, 3, 4]], fake[[1, 3, 4]], 128, 128)
    real[0], fake[2] = np.nan, np.nan
    assert lmd(real, fake, 128, 128) == pytest.approx(expected)
    with pytest.raises(ValueError, match="no frame has a face"):
        lmd(real[:1], fake[:1], 128, 128)
