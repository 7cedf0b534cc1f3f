"""The study of sync: its cuts are three seconds whose sound is late by the shift."""

import numpy as np
import pytest

from benchmarks.studies.sync import FRAMES, SHIFTS, piece, sources
from pipeline.media import SAMPLES_PER_FRAME


@pytest.mark.parametrize("frames", [75, 120])
def test_a_cut_has_its_sound_late_by_the_shift(frames):
    points = np.arange(frames, dtype=float)[:, None, None] * np.ones((1, 68, 2))
    samples = np.repeat(np.arange(1, frames + 1), SAMPLES_PER_FRAME).astype(np.int16)
    for shift in SHIFTS:
        cut, sound = piece((points, samples), shift)
        assert (len(cut), len(sound)) == (FRAMES, FRAMES * SAMPLES_PER_FRAME)
        spoken = sound[::SAMPLES_PER_FRAME] - 1  # the frame whose sound it is, -1 is silence
        expected = cut[:, 0, 0] - shift
        inside = (expected >= 0) & (expected < frames)
        assert (spoken[inside] == expected[inside]).all()
        assert (spoken[~inside] == -1).all()


def test_clips_have_data_set_and_speaker(shared_data):
    found = sources(shared_data)
    assert {kind for _, kind, _ in found} == {"GRID", "LRS3", "other"}
    assert all(path.exists() for path, _, _ in found)
    assert {who for path, _, who in found if path.name.startswith("grid_s26_")} == {"s26"}
    assert {who for path, _, who in found if path.parent.name == "grid_s1"} == {"s1"}
