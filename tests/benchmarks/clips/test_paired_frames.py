"""Fakes that are framed like their real clips, and fakes that are not."""

import itertools

import numpy as np
import pytest

from benchmarks.clips.paired_frames import place_warnings
from pipeline.media import read_frames

SIZE = (200, 200)
PANELS = {"Wav2Lip": 234, "PC-AVS": 458, "Diff2Lip": 682}  # beside the source, at 0


def face(left=60.0, top=60.0, side=80.0, frames=6):
    points = np.random.default_rng(0).uniform(0, 1, (68, 2))
    return np.tile(points * side + (left, top), (frames, 1, 1)).astype(np.float32)


def test_a_head_that_moves_a_little_is_in_its_place_at_any_size():
    moved = face(left=66, top=52, side=86)
    assert place_warnings(face(), moved, SIZE, SIZE) == []
    assert place_warnings(face(), moved / 2, SIZE, (100, 100)) == []


@pytest.mark.parametrize(
    ("other", "how"),
    [(face(left=100), "0.5 of its height"), (face(80, 80, 40), "0.5 times as large")],
)
def test_another_place_or_size_is_named(other, how):
    (warning,) = place_warnings(face(), other, SIZE, SIZE)
    assert "the face lies elsewhere" in warning
    assert how in warning


def test_frames_without_a_face_do_not_count():
    gaps = face()
    gaps[:5] = np.nan
    assert place_warnings(gaps, face(left=100), SIZE, SIZE)
    assert place_warnings(gaps * np.nan, face(left=100), SIZE, SIZE) == []


def test_other_systems_outputs_are_in_their_place(shared_data, tracker):
    path = min((shared_data / "methods").glob("*.mp4"))
    pictures = list(itertools.islice(read_frames(path), 5))

    def found(left):
        crops = [np.ascontiguousarray(picture[:, left : left + 224]) for picture in pictures]
        return tracker.track(crops).points

    for left in PANELS.values():
        assert place_warnings(found(0), found(left), SIZE, SIZE) == []
