"""Features of sound that comes in pieces against those of the whole."""

import math

import numpy as np
import pytest

from pipeline.speech.mfcc import mfcc_windows
from pipeline.speech.streaming import stream_mfcc_windows


@pytest.mark.parametrize("length", [1, 640, 641, 2500, 20_000])
@pytest.mark.parametrize("piece", [97, 640, 5000])
def test_pieces_of_any_length_give_the_rows_of_the_whole(length: int, piece: int):
    sound = np.random.default_rng(length).integers(-9000, 9000, length, dtype=np.int16)
    rows = list(stream_mfcc_windows(sound[k : k + piece] for k in range(0, length, piece)))
    whole = mfcc_windows(sound, math.ceil(length / 640))
    assert np.array_equal(np.stack(rows), whole)


def test_a_row_comes_when_two_frames_of_sound_follow_its_own():
    given = 0

    def chunks():
        nonlocal given
        for given in range(1, 9):
            yield np.full(640, given, np.int16)

    seen = [given for _ in stream_mfcc_windows(chunks())]
    assert seen == [3, 4, 5, 6, 7, 8, 8, 8]


def test_no_sound_has_no_row():
    assert list(stream_mfcc_windows([])) == []
