"""WAV files in memory."""

from __future__ import annotations

import io
import wave

import numpy as np
import pytest

from pipeline.media.wav import wav_bytes, wav_samples


def test_samples_survive_and_the_header_is_the_one_of_the_data_set():
    samples = np.arange(-500, 500, dtype=np.int16)
    with wave.open(io.BytesIO(wav_bytes(samples))) as file:
        assert file.getparams()[:4] == (1, 2, 16_000, 1000)
    assert np.array_equal(wav_samples(wav_bytes(samples)), samples)


def test_another_format_is_refused():
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setparams((2, 2, 16_000, 0, "NONE", ""))
    with pytest.raises(ValueError, match="16 kHz"):
        wav_samples(buffer.getvalue())
