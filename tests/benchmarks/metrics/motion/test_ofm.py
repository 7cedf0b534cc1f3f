"""OFM: the script's colours by hand, the equation's magnitude on known motion, a frozen clip."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from benchmarks.metrics.motion.ofm import STILL, colour_mean, flow_magnitude, ofm, small


def jet(level):
    """Blue, green and red of OpenCV's JET for a level 0..255: straight lines, by hand."""
    x = level / 255
    lines = ((0.5, 2.5), (-0.5, 3.5), (-1.5, 4.5))
    return [255 * np.clip(min(4 * x + up, down - 4 * x), 0, 1) for up, down in lines]


def test_colours_of_a_stretched_flow_by_hand():
    magnitude = np.random.default_rng(0).gamma(1.5, 2.0, (128, 128)).astype(np.float32)
    span = magnitude.max() - magnitude.min()
    levels = np.floor((magnitude.astype(np.float64) - magnitude.min()) / span * 255 + 1e-4)
    expected = np.mean([jet(level) for level in levels.ravel()])
    # OpenCV rounds each colour to a byte.
    assert colour_mean(magnitude) == pytest.approx(expected, abs=0.3)


def test_stretching_forgets_how_fast_it_moves():
    magnitude = np.random.default_rng(1).gamma(1.5, 2.0, (64, 64)).astype(np.float32)
    assert colour_mean(magnitude) == pytest.approx(colour_mean(5 * magnitude + 3), abs=0.05)


def test_a_frozen_clip_scores_the_bottom_of_the_colour_map():
    assert round(STILL, 2) == 42.67
    assert ofm([np.full((128, 128, 3), 60, np.uint8)] * 3) == (pytest.approx(STILL), 0)
    # In a real picture rounding makes a flow of thousandths of a pixel, and stretching shows it.
    released, equation = ofm([astronaut()[:200, 100:300]] * 3)
    assert STILL <= released < STILL + 2
    assert equation < 0.01


def test_the_equations_form_is_how_far_pixels_move():
    picture = cv2.GaussianBlur(astronaut(), (0, 0), 1.5)
    means = []
    for step in (1, 2, 4):
        frames = [picture[100:228, 100 + step * k : 228 + step * k] for k in range(3)]
        grey = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in frames]
        inside = flow_magnitude(grey[0], grey[1])[20:-20, 20:-20]
        assert np.median(inside) == pytest.approx(step, rel=0.05)
        means.append(ofm(frames)[1])
    # Flat parts of a picture show no motion: the mean is lower, and in proportion.
    assert means[1] / means[0] == pytest.approx(2, rel=0.2)
    assert means[2] / means[0] == pytest.approx(4, rel=0.2)


def test_frames_are_brought_to_128_without_smoothing():
    frame = astronaut()[:256, :256]
    # Half the size, bilinear: the mean of the four pixels in the middle of each 2x2.
    expected = frame.reshape(128, 2, 128, 2, 3).mean((1, 3))
    assert np.abs(small(frame).astype(int) - expected).max() <= 1
    assert np.array_equal(small(frame[:128, :128]), frame[:128, :128])


def test_one_frame_has_no_motion():
    with pytest.raises(ValueError, match="at least two frames"):
        ofm([astronaut()])
