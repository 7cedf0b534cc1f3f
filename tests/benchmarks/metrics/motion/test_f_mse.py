"""F-MSE: the script's arithmetic in bytes, and the true one."""

from itertools import pairwise

import numpy as np
import pytest

from benchmarks.metrics.motion.f_mse import f_mse


def test_both_forms_in_plain_numpy():
    rng = np.random.default_rng(0)
    frames = list(rng.integers(0, 256, (4, 128, 128, 3)).astype(np.uint8))
    with np.errstate(over="ignore"):
        wrapped = [((b - a) ** 2).mean() for a, b in pairwise(frames)]
    true = [((b.astype(float) - a) ** 2).mean() for a, b in pairwise(frames)]
    released, equation = f_mse(frames)
    assert released == pytest.approx(np.mean(wrapped), rel=1e-12)
    assert equation == pytest.approx(np.mean(true), rel=1e-12)


def test_bytes_wrap_at_sixteen():
    black = np.zeros((128, 128, 3), np.uint8)
    for step, released in ((15, 225), (16, 0), (17, 33), (255, 1)):
        assert f_mse([black, black + np.uint8(step)]) == (released, step**2)
        assert f_mse([black + np.uint8(step), black]) == (released, step**2)


def test_a_frozen_clip_has_none_and_one_frame_is_too_few():
    frame = np.full((40, 50, 3), 90, np.uint8)
    assert f_mse([frame] * 3) == (0, 0)
    with pytest.raises(ValueError, match="at least two frames"):
        f_mse([frame])
