"""MFCC windows, one by one, against python_speech_features called by hand."""

from pathlib import Path

import numpy as np
import pytest
from python_speech_features import mfcc

from pipeline.media import read_audio
from pipeline.speech.mfcc import MFCC_DIM, mfcc_windows


def _speechlike(frames: int) -> np.ndarray:
    rng = np.random.default_rng(frames)
    loudness = 2000 * (1.2 + np.sin(np.arange(frames * 640) / 3000))
    return (loudness * rng.normal(0, 1, frames * 640)).astype(np.int16)


def _window_by_hand(samples: np.ndarray, frame: int) -> np.ndarray:
    """The 18 MFCC vectors of 3200 samples centred on a frame, silence beyond the recording."""
    silence = np.zeros(6400)
    padded = np.concatenate([silence, samples, silence])
    begin = 6400 + frame * 640 + 320 - 1600
    # One step more in front: pre-emphasis reaches one sample back, and has none at the beginning.
    steps = mfcc(padded[begin - 160 : begin + 3200], 16_000)[1:19]
    steps[:, 0] = np.maximum(steps[:, 0], 0)
    return steps


@pytest.mark.parametrize("frame", [0, 1, 2, 17, 37, 38, 39])
def test_window_k_is_the_mfcc_of_the_sound_around_frame_k(frame: int):
    samples = _speechlike(40)
    got = mfcc_windows(samples, 40)
    assert got.shape == (40, MFCC_DIM)
    assert got.dtype == np.float32
    wanted = _window_by_hand(samples, frame)
    np.testing.assert_allclose(got[frame].reshape(18, 13), wanted, rtol=1e-4, atol=1e-3)


def test_a_click_is_heard_in_the_windows_that_hold_it_and_in_no_other():
    frames, click = 21, 10
    silence = np.zeros(frames * 640, np.int16)
    clicked = silence.copy()
    clicked[click * 640 + 320] = 20_000  # in the middle of frame 10
    changed = (mfcc_windows(clicked, frames) != mfcc_windows(silence, frames)).any(1)
    # Windows reach 1600 samples, two and a half frames, to either side.
    assert np.flatnonzero(changed).tolist() == [8, 9, 10, 11, 12]
    # Symmetric in time: where in the window the click is loudest goes down by four a frame.
    energy = mfcc_windows(clicked, frames).reshape(frames, 18, 13)[8:13, :, 0]
    first = [int(np.flatnonzero(row > 0)[0]) for row in energy]
    assert np.diff(first).tolist() == [-4, -4, -4, -4][: len(first) - 1]


def test_real_speech(shared_data: Path):
    sound = read_audio(shared_data / "clips" / "crema_1001_DFA_ANG_XX.mkv").samples
    got = mfcc_windows(sound, 50)
    for frame in (0, 13, 25):
        wanted = _window_by_hand(sound[: 50 * 640], frame)
        np.testing.assert_allclose(got[frame].reshape(18, 13), wanted, rtol=1e-4, atol=1e-3)


def test_digital_silence_gives_no_outlier():
    assert np.abs(mfcc_windows(np.zeros(6400, np.int16), 10)).max() < 1e-6
    last_bit = np.random.default_rng(0).integers(-1, 2, 6400).astype(np.int16)
    assert mfcc_windows(last_bit, 10).reshape(10, 18, 13)[..., 0].min() >= 0


def test_sound_that_is_too_short_or_long_is_fitted():
    samples = _speechlike(30)
    np.testing.assert_array_equal(
        mfcc_windows(samples[:10_000], 30),
        mfcc_windows(np.pad(samples[:10_000], (0, 9_200)), 30),
    )
    np.testing.assert_array_equal(mfcc_windows(samples, 12), mfcc_windows(samples[: 12 * 640], 12))
    assert mfcc_windows(samples[:100], 1).shape == (1, MFCC_DIM)


def test_an_hour_is_computed_in_blocks_to_the_same_bits():
    rng = np.random.default_rng(3)
    for frames in (1, 1020, 1024, 1100, 2100):  # 4096 vectors a block, 4 a frame
        sound = rng.normal(0, 2000, frames * 640).astype(np.int16)
        whole = mfcc(np.pad(sound, 1280).astype(np.float64), 16_000)
        whole[:, 0] = np.maximum(whole[:, 0], 0)
        first = np.arange(frames)[:, None] * 4
        wanted = whole[first + np.arange(18)].reshape(frames, 234).astype(np.float32)
        assert np.array_equal(mfcc_windows(sound, frames), wanted)
