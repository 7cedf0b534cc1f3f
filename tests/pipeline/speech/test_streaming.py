"""Sound that comes in pieces against the whole: its samples and its features."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.io import wavfile

from pipeline.errors import UserError
from pipeline.media import read_audio
from pipeline.speech.mfcc import mfcc_windows
from pipeline.speech.streaming import speech_samples, stream_mfcc_windows

SOUND = np.random.default_rng(1).integers(-9000, 9000, 5000, dtype=np.int16)


def pieces(sound, size: int = 700):
    return (sound[k : k + size] for k in range(0, len(sound), size))


@pytest.mark.parametrize("sound", [SOUND, (SOUND / 32768).astype(np.float32)])
def test_samples_that_have_the_rate_stay_the_same(sound):
    assert np.array_equal(np.concatenate(list(speech_samples(pieces(sound)))), SOUND)
    assert list(speech_samples([sound[:0]])) == []


@pytest.mark.parametrize("rate", [8000, 44_100, 48_000])
def test_pieces_of_another_rate_give_the_samples_of_the_recording(rate: int, tmp_path: Path):
    wavfile.write(tmp_path / "a.wav", rate, SOUND)
    whole = read_audio(tmp_path / "a.wav").samples
    found = np.concatenate(list(speech_samples(pieces(SOUND, 97), rate)))
    assert np.array_equal(found, whole)


@pytest.mark.parametrize(
    ("chunk", "rate", "named"),
    [
        (SOUND.astype(np.float64), 16_000, "float64"),
        (np.stack([SOUND, SOUND], axis=1), 16_000, r"\(5000, 2\)"),
        (SOUND.astype(np.float32), 16_000, "-1 … 1"),
        (np.full(9, np.nan, np.float32), 16_000, "nan"),
        (SOUND, 16, "16 Hz"),
    ],
)
def test_sound_of_another_kind_is_refused(chunk, rate: int, named: str):
    with pytest.raises(UserError, match=named):
        list(speech_samples([chunk], rate))


@pytest.mark.parametrize("length", [1, 640, 641, 2500, 20_000])
@pytest.mark.parametrize("piece", [97, 640, 5000])
def test_pieces_of_any_length_give_the_rows_of_the_whole(length: int, piece: int):
    sound = np.random.default_rng(length).integers(-9000, 9000, length, dtype=np.int16)
    rows = list(stream_mfcc_windows(pieces(sound, piece)))
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
