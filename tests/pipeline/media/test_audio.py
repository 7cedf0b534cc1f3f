"""Sound: where it begins, where it is lost, and at which rate it comes out."""

import io
import struct
import wave
from functools import partial
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from pipeline.media import MediaError, fit_audio, probe, read_audio
from pipeline.media.audio import wav_bytes, wav_samples
from tests.faults.inputs.damage import joined, recoded, repacked
from tests.faults.inputs.films import talker, voice, write_film
from tests.pipeline.media.numbered import lag_of, steady, white_noise, write_numbered, write_wav


@pytest.mark.parametrize("late", [0.2, -0.2, 0.0])
def test_sound_begins_with_the_first_frame(tmp_path: Path, late: float):
    sound = white_noise(2)
    film = write_numbered(
        tmp_path / "a.mkv", [1 + t for t in steady(50, 25)], sound=sound, sound_from=1 + late
    )
    got = read_audio(film).samples
    if late > 0:
        assert not got[:3200].any()
        assert np.array_equal(got[3200:], sound)
    else:
        assert np.array_equal(got, sound[3200 if late else 0 :])
    assert np.array_equal(read_audio(film, start=1.4, end=1.8).samples, got[22400:28800])
    assert np.array_equal(read_audio(film, start=0.1, end=0.3).samples, got[1600:4800])


def test_lost_sound_is_silence_and_what_follows_stays_in_place(tmp_path: Path):
    sound = white_noise(4)
    film = write_numbered(
        tmp_path / "a.mkv", steady(100, 25), sound=sound, without_sound=range(20, 30)
    )
    got = read_audio(film).samples
    assert len(got) == len(sound)
    assert not got[20 * 1024 : 30 * 1024].any()
    assert np.array_equal(got[: 20 * 1024], sound[: 20 * 1024])
    assert np.array_equal(got[30 * 1024 + 100 :], sound[30 * 1024 + 100 :])


@pytest.mark.parametrize("by", [0.06, -0.06])
def test_sound_keeps_to_its_time_stamps(tmp_path: Path, by: float):
    # Where they leave a gap there is silence, and where they overlap the later sound counts.
    sound, film = white_noise(4), tmp_path / "a.mkv"
    make = partial(write_numbered, times=steady(100, 25), sound=sound, options={"bf": "0"})
    late = 20 * 1024 / 16_000
    repacked(make, lambda kind, time: by if kind == "audio" and time > late - 0.001 else 0)(film)
    got, moved = read_audio(film).samples, round(by * 16_000)
    at = 20 * 1024
    assert np.array_equal(got[: at + min(moved, 0)], sound[: at + min(moved, 0)])
    assert not got[at : at + moved].any()
    assert np.array_equal(got[at + moved :][:40_000], sound[at:][:40_000])


@pytest.mark.parametrize("each", [0, 500])
def test_time_stamps_that_ask_for_hours_of_silence_are_refused(tmp_path: Path, each: float):
    film = tmp_path / "a.mkv"
    make = partial(write_numbered, times=steady(50, 25), sound=white_noise(2), options={"bf": "0"})
    # All of it begins a day late, or the pauses add up.
    shift = lambda time: each * round(time / 0.064) if each else 86_400  # noqa: E731
    repacked(make, lambda kind, time: shift(time) if kind == "audio" else 0)(film)
    with pytest.raises(MediaError, match=r"a\.mkv: .* of its sound are silence"):
        read_audio(film)


def test_sound_that_jitters_about_its_time_is_left_alone(tmp_path: Path):
    sound, film, rng = white_noise(4), tmp_path / "a.mkv", np.random.default_rng(0)
    make = partial(write_numbered, times=steady(100, 25), sound=sound, options={"bf": "0"})
    repacked(
        make, lambda kind, time: rng.uniform(0, 0.03) if kind == "audio" and time > 0.01 else 0
    )(film)
    assert np.array_equal(read_audio(film).samples, sound)


@pytest.mark.slow
def test_sound_that_changes_its_format_on_the_way_stays_in_place(tmp_path: Path):
    def part(path: Path, first: float, **sound: Any) -> None:
        write_film(
            path,
            speech=lambda time: voice(time + first),
            picture=lambda time: talker(time + first),
            start=1 + first,
            sound="mp2",
            **sound,
        )

    joined(
        partial(part, first=0.0),
        partial(part, first=1.0, rate=48_000, layout="stereo"),
        partial(part, first=2.0, rate=44_100),
    )(tmp_path / "a.ts")
    got = read_audio(tmp_path / "a.ts").samples.astype(float)
    said = voice(np.arange(3 * 16_000) / 16_000)
    for begin in (0, 16_000, 32_000):
        inner = slice(begin + 4_000, begin + 14_000)  # the decoder stumbles where they meet
        assert np.corrcoef(got[inner], said[inner])[0, 1] > 0.97


def test_sound_without_picture(tmp_path: Path):
    sound = white_noise(4)
    path = write_wav(tmp_path / "a.wav", sound, 16_000)
    assert np.array_equal(read_audio(path).samples, sound)
    # A segment far enough in to be sought, and one that is not.
    assert np.array_equal(read_audio(path, start=2.5, end=3).samples, sound[40_000:48_000])
    assert np.array_equal(read_audio(path, start=0.5, end=1).samples, sound[8_000:16_000])
    assert np.array_equal(read_audio(path, start=3).samples, sound[48_000:])


def test_a_picture_that_cannot_be_decoded_costs_no_sound(tmp_path: Path):
    film = tmp_path / "a.mp4"
    recoded(write_film, b"avc1", b"zzz1")(film)
    with pytest.raises(MediaError, match="no decoder for its video"):
        probe(film)
    assert read_audio(film).seconds == pytest.approx(1, abs=0.1)


def test_cover_art_is_no_picture(tmp_path: Path):
    # An MP3 with a cover: time zero is the sound's, not that of the still.
    plain, covered = tmp_path / "a.mp3", tmp_path / "b.mp3"
    sound = white_noise(2)
    with av.open(str(plain), "w") as container:
        stream: Any = container.add_stream("mp3", rate=16_000, layout="mono")
        for begin in range(0, len(sound), 1152):
            piece = np.ascontiguousarray(sound[None, begin : begin + 1152])
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16_000, begin
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 0, 0)).save(picture, "JPEG")
    body = b"\0image/jpeg\0\x03\0" + picture.getvalue()
    tag = b"APIC" + struct.pack(">I", len(body)) + b"\0\0" + body
    size = bytes(len(tag) >> shift & 0x7F for shift in (21, 14, 7, 0))
    covered.write_bytes(b"ID3\x03\0\0" + size + tag + plain.read_bytes())
    with av.open(str(covered)) as container:
        assert container.streams.video  # FFmpeg shows the cover as a video stream
    assert lag_of(read_audio(covered).samples, read_audio(plain).samples) == 0


def test_resampling_and_mixing_keep_pitch_and_level(tmp_path: Path):
    seconds = np.arange(44_100) / 44_100
    left, right = np.sin(2 * np.pi * 440 * seconds), np.sin(2 * np.pi * 1000 * seconds)
    stereo = (8000 * np.stack([left, right], 1)).astype(np.int16)
    path = write_wav(tmp_path / "a.wav", stereo, 44_100)
    mono = read_audio(path)
    assert mono.rate == 16_000
    assert mono.seconds == pytest.approx(1, abs=1e-3)
    spectrum = np.abs(np.fft.rfft(mono.samples[:16_000] * np.hanning(len(mono.samples[:16_000]))))
    spectrum *= 4 / 16_000  # of a sine's amplitude under a Hann window
    assert spectrum[440] == pytest.approx(4000, rel=0.02)
    assert spectrum[1000] == pytest.approx(4000, rel=0.02)
    assert np.delete(spectrum, [439, 440, 441, 999, 1000, 1001]).max() < 40
    assert np.array_equal(read_audio(path, rate=None, mono=False).samples, stereo)


@pytest.mark.parametrize("length", [0, 1, 639, 640, 1280, 2000])
def test_fit_audio_cuts_or_pads_at_the_end(length: int):
    samples = np.arange(1, length + 1).astype(np.int16)
    got = fit_audio(samples, 2)
    assert got.shape == (1280,)
    kept = min(length, 1280)
    assert np.array_equal(got[:kept], samples[:kept])
    assert not got[kept:].any()


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
