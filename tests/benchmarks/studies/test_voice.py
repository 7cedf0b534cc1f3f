"""The comparison of speech detectors: the truth, what is added to it, and what they return."""

from importlib import import_module

import numpy as np
import pytest

from benchmarks.studies.voice import (
    beside,
    conditions,
    sentences,
    silero_voice,
    webrtc_voice,
    without_speech,
)


@pytest.fixture(scope="module")
def sentence(shared_data):
    return next(sentences(shared_data))


def test_the_truth_has_words_between_silences(sentence):
    sound, truth = sentence
    assert len(sound) == 640 * len(truth)
    assert not truth[0]
    assert not truth[-1]
    assert 0.2 < truth.mean() < 0.8


@pytest.mark.slow
def test_detectors_find_most_of_the_words(sentence):
    pytest.importorskip("silero_vad", reason="compared, not used")
    sound, truth = sentence
    model = import_module("silero_vad").load_silero_vad()
    assert (silero_voice(model, sound) == truth).mean() > 0.85
    assert (webrtc_voice(3, sound) == truth).mean() > 0.75
    assert not silero_voice(model, without_speech()["a melody"]).any()


def test_a_sound_lies_as_many_decibels_below_as_asked(sentence):
    sound, _ = sentence
    noise = np.random.default_rng(0).normal(size=len(sound))
    added = beside(sound, noise, 10).astype(float) - sound
    assert 20 * np.log10(sound.astype(float).std() / added.std()) == pytest.approx(10, abs=0.3)
    assert len({change(sound).tobytes() for change in conditions().values()}) == len(conditions())
