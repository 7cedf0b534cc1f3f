"""Speech in recordings: GRID's word alignments as truth, and sounds that are none."""

from pathlib import Path

import numpy as np
import pytest

from pipeline.media import read_audio
from pipeline.speech.activity import speech_activity, speech_share


@pytest.fixture(scope="module")
def spoken(shared_data: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Sound of GRID sentences, and whether a word is spoken in each frame."""
    found = []
    for path in sorted((shared_data / "grid_s1").glob("*.mpg"))[::5]:
        samples = read_audio(path).samples
        truth = np.zeros(len(samples) // 640, bool)
        for line in path.with_suffix(".align").read_text().splitlines():
            begin, end, word = line.split()
            if word not in ("sil", "sp"):  # in 1/25000 s
                truth[round(int(begin) / 1000) : round(int(end) / 1000)] = True
        found.append((samples, truth))
    return found


def _with_noise(samples: np.ndarray, decibels: float) -> np.ndarray:
    sound = samples.astype(float)
    power = np.sqrt((sound**2).mean()) * 10 ** (-decibels / 20)
    noisy = sound + np.random.default_rng(0).normal(0, power, len(sound))
    return np.clip(noisy, -32768, 32767).astype(np.int16)


@pytest.mark.parametrize(
    ("change", "accuracy"),
    [
        (lambda s: s, 0.95),
        (lambda s: _with_noise(s, 20), 0.95),
        (lambda s: _with_noise(s, 10), 0.94),
        (lambda s: _with_noise(s, 5), 0.92),
        (lambda s: (s * 0.01).astype(np.int16), 0.95),  # 40 dB quieter
        (lambda s: np.clip(s * 8.0, -32768, 32767).astype(np.int16), 0.93),  # clipped
    ],
)
def test_frames_with_words_are_told_from_those_without(spoken, change, accuracy: float):
    agree, errors = [], []
    for samples, truth in spoken:
        active = speech_activity(change(samples), len(truth))
        agree.append((active == truth).mean())
        errors.append(abs(speech_share(change(samples)) - truth.mean()))
    assert np.mean(agree) > accuracy
    assert np.mean(errors) < 0.07


def _melody(time: np.ndarray, notes_a_second: int) -> np.ndarray:
    """Notes of four partials that die away, as of a piano."""
    rng = np.random.default_rng(3)
    sound = np.zeros_like(time)
    for begin in np.arange(0, time[-1], 1 / notes_a_second):
        pitch = 220 * 2 ** (rng.integers(0, 24) / 12)
        decay = np.where(time >= begin, np.exp(-2 * notes_a_second * (time - begin)), 0)
        partials = (np.sin(2 * np.pi * pitch * k * time) / k for k in range(1, 5))
        sound += 3000 * decay * sum(partials)
    return sound


def test_noises_and_notes_are_no_speech():
    rng = np.random.default_rng(0)
    time = np.arange(5 * 16_000) / 16_000
    hum = 2000 * np.sin(2 * np.pi * 50 * time) + 900 * np.sin(2 * np.pi * 150 * time)
    sounds = {
        "silence": np.zeros_like(time),
        "white noise": rng.normal(0, 3000, len(time)),
        "tone": 3000 * np.sin(2 * np.pi * 220 * time),
        "hum": hum + rng.normal(0, 50, len(time)),
        "chord": sum(1500 * np.sin(2 * np.pi * f * time) for f in (261.6, 329.6, 392)),
        "clicks": np.where(np.arange(len(time)) % 8000 < 20, 20_000, 0),
        "bursts of noise": rng.normal(0, 3000, len(time)) * (time % 1 < 0.4),
        "rumble": np.cumsum(rng.normal(0, 50, len(time))),
        "a melody": _melody(time, notes_a_second=2),
        "a fast melody": _melody(time, notes_a_second=4),
    }
    for name, sound in sounds.items():
        assert speech_share(sound.astype(np.int16)) < 0.05, name


def test_activity_has_one_value_a_frame_and_moves_with_the_sound(spoken):
    samples, truth = spoken[0]
    active = speech_activity(samples, len(truth))
    assert active.shape == truth.shape
    later = speech_activity(np.pad(samples, (25 * 640, 0)), len(truth) + 25)
    assert not later[:20].any()
    assert (later[25:] == active).mean() > 0.95
    assert speech_activity(samples[:100], 3).shape == (3,)
    assert speech_share(samples[:0]) == 0
    assert speech_activity(samples, 0).shape == (0,)
