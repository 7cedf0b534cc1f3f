"""Mixing of channels: voices keep their level, and channels do not cancel each other."""

from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.media import read_audio
from tests.faults.inputs.films import voice, write_film
from tests.pipeline.media.numbered import white_noise

_VOICE = (white_noise(1) / 4).astype(np.int16)  # no clipping where channels are added
_OTHER = (white_noise(2)[16_000:] / 4).astype(np.int16)


def _write(path: Path, channels: list[np.ndarray], layout: str, codec: str = "flac") -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=16_000, layout=layout)
        packed = np.ascontiguousarray(np.stack(channels, 1).reshape(1, -1))
        frame = av.AudioFrame.from_ndarray(packed, format="s16", layout=layout)
        frame.sample_rate, frame.pts = 16_000, 0
        container.mux([*stream.encode(frame), *stream.encode(None)])
    return path


def _level(samples: np.ndarray) -> float:
    return float(np.sqrt((samples.astype(float) ** 2).mean()))


_FORMATS = {"flac": "flac", "pcm_s16le": "wav", "pcm_f32le": "wav", "pcm_u8": "wav"}


@pytest.mark.parametrize("codec", _FORMATS)
def test_of_channels_in_antiphase_the_loudest_is_taken(codec: str, tmp_path: Path):
    film = tmp_path / f"a.{_FORMATS[codec]}"
    quiet = (-0.8 * _VOICE.astype(float)).astype(np.int16)
    sound = read_audio(_write(film, [quiet, _VOICE], "stereo", codec))
    np.testing.assert_allclose(sound.samples, _VOICE, atol=260 if codec == "pcm_u8" else 1)
    assert sound.notes == ("loudest-channel",)
    both = read_audio(film, mono=False)
    assert (both.samples.shape, both.notes) == ((16_000, 2), ())


@pytest.mark.parametrize("right", [_VOICE, _OTHER, 0 * _VOICE], ids=["same", "other", "silent"])
def test_other_stereo_is_mixed_to_its_mean(right: np.ndarray, tmp_path: Path):
    sound = read_audio(_write(tmp_path / "a.flac", [_VOICE, right], "stereo"))
    mean = (_VOICE.astype(float) + right) / 2
    np.testing.assert_allclose(sound.samples, mean, atol=1)
    assert sound.notes == ()


@pytest.mark.parametrize(("layout", "centre"), [("5.1", 2), ("3.0", 2), ("7.1", 2)])
def test_a_voice_in_the_centre_keeps_its_level(layout: str, centre: int, tmp_path: Path):
    channels = [0 * _VOICE] * int(sum(map(int, layout.split("."))))
    channels[centre] = _VOICE
    film = _write(tmp_path / "a.flac", channels, layout)
    sound = read_audio(film)
    assert np.array_equal(sound.samples, _VOICE)
    assert sound.notes == ("surround-mixed",)
    both = read_audio(film, mono=False).samples
    assert both.shape == (16_000, 2)
    assert _level(both) * 2**0.5 == pytest.approx(_level(_VOICE), rel=0.01)


def test_eight_planes_of_sound_are_read(tmp_path: Path):
    # PyAV 18.1 finds more planes than there are from eight channels on, and reads anywhere.
    write_film(tmp_path / "a.m4a", picture=None, sound="aac", layout="7.1", rate=48_000)
    sound = read_audio(tmp_path / "a.m4a")
    assert sound.notes == ("surround-mixed",)
    assert np.corrcoef(sound.samples[:16_000], voice(np.arange(16_000) / 16_000))[0, 1] > 0.7


def test_left_and_right_of_surround_stay_there_and_the_low_effects_go(tmp_path: Path):
    silence = 0 * _VOICE
    channels = [_VOICE, _OTHER, silence, white_noise(1), silence, silence]
    film = _write(tmp_path / "a.flac", channels, "5.1")
    both = read_audio(film, mono=False).samples
    assert np.array_equal(both, np.stack([_VOICE, _OTHER], 1))
    np.testing.assert_allclose(read_audio(film).samples, (0.5 * _VOICE + 0.5 * _OTHER), atol=1)


def test_what_would_exceed_16_bits_is_clipped(tmp_path: Path):
    loud = np.full(16_000, 30_000, np.int16)
    sound = read_audio(_write(tmp_path / "a.flac", [loud] * 3, "3.0"))
    assert (sound.samples == 32_767).all()


def test_real_sounds_have_their_level(shared_cases: Path):
    levels = [_level(read_audio(shared_cases / "sound" / name).samples)
              for name in ("antiphase.wav", "surround.flac", "mp3_8k_noid3.mp3")]  # fmt: skip
    assert min(levels) > 1000
