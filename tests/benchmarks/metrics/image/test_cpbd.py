"""CPBD: the numbers of the published port, widths of known edges, and what blur does to it."""

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from benchmarks.metrics.image.cpbd import cpbd, edge_widths, vertical_edges

FACE = astronaut()[:256, 100:356]


# Computed once with the package cpbd 1.0.7, the port of the authors' MATLAB code, on grey pictures.
@pytest.mark.parametrize(
    ("frame", "published"),
    [
        (FACE, 0.48939512961508247),
        (cv2.resize(FACE, (128, 128)), 0.46029609690444145),
        (cv2.GaussianBlur(FACE, (0, 0), 2), 0.01603849238171612),
    ],
)
def test_equals_the_port_of_the_authors_code(frame, published):
    assert cpbd(frame) == pytest.approx(published, abs=1e-9)


@pytest.mark.parametrize("width", [2, 3, 6, 9])
@pytest.mark.parametrize("rising", [True, False])
def test_the_width_of_a_ramp_is_its_length(width, rising):
    ramp = np.concatenate(
        [np.full(30, 40.0), np.linspace(40, 200, width + 1)[1:], np.full(30, 200)]
    )
    picture = np.tile(ramp if rising else ramp[::-1], (20, 1))
    picture += np.random.default_rng(0).normal(0, 1e-3, (20, 1))  # rows differ, along them nothing
    edges = np.zeros(picture.shape, bool)
    # An edge in the middle of the ramp.
    middle = 29 + width // 2 if rising else len(ramp) - 30 - width // 2
    edges[5:15, middle] = True
    widths = edge_widths(picture, edges)
    assert set(widths[5:15, middle].tolist()) <= {width, width + 1}
    assert not widths[:, :middle].any()


def test_edges_stand_where_brightness_steps():
    picture = np.full((40, 40), 30.0)
    picture[:, 20:] = 220
    picture[10:30, 21] = 200
    edges = vertical_edges(picture)
    assert np.flatnonzero(edges.any(0)).min() >= 19
    assert np.flatnonzero(edges.any(0)).max() <= 22


def test_the_more_blur_the_lower():
    scores = [cpbd(cv2.GaussianBlur(FACE, (0, 0), sigma)) for sigma in (0.3, 1, 1.6, 3)]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.4
    assert scores[-1] < 0.02


def test_what_has_no_edge_scores_none_and_small_frames_are_refused():
    assert cpbd(np.full((128, 128, 3), 77, np.uint8)) == 0
    with pytest.raises(ValueError, match="at least 64x64"):
        cpbd(FACE[:63])
