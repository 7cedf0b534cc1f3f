"""Decoding against films whose every frame bears its number and whose every sample is known."""

from __future__ import annotations

import io
import os
import socket
import struct
import wave
from fractions import Fraction
from functools import partial
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest
from PIL import Image
from scipy.signal import correlate

from pipeline.media import (
    Audio,
    Frames,
    MediaError,
    fit_audio,
    probe,
    read_audio,
    read_frames,
    read_image,
    write_image,
    write_video,
)
from tests.faults.damage import flipped, joined, recoded, repacked, turned
from tests.faults.films import talker, voice, write_film

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

_BITS = 8
_HEIGHT, _WIDTH = 48, 16 * _BITS


def _numbered(number: int) -> np.ndarray:
    """A frame with its number in eight black or white bars, the lowest bit on the left."""
    bars = [20 + 200 * (number >> bit & 1) for bit in range(_BITS)]
    row = np.repeat(np.array(bars, np.uint8), _WIDTH // _BITS)
    return np.broadcast_to(row[None, :, None], (_HEIGHT, _WIDTH, 3)).copy()


def _number(frame: np.ndarray) -> int:
    """The number that a decoded frame of any size bears."""
    height, width = frame.shape[:2]
    row = frame[height // 4 : -height // 4].mean((0, 2))
    centres = ((np.arange(_BITS) + 0.5) * width / _BITS).astype(int)
    return sum(int(row[c - 1 : c + 2].mean() > 120) << bit for bit, c in enumerate(centres))


def _noise(seconds: float, rate: int = 16_000) -> np.ndarray:
    """Noise has one place only where it fits itself, so that a shift of one sample shows."""
    rng = np.random.default_rng(0)
    return rng.normal(0, 3000, round(seconds * rate)).astype(np.int16)


def _film(
    path: Path,
    times: Iterable[float],
    *,
    codec: str = "libx264",
    rate: int = 25,
    aspect: Fraction | None = None,
    sound: np.ndarray | None = None,
    sound_from: float = 0.0,
    sound_codec: str = "pcm_s16le",
    without_sound: range = range(0),
    frames: Sequence[np.ndarray] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Writes numbered frames at the given seconds with FFmpeg, and sound at 16 kHz.

    `without_sound` names the packets of sound that get lost.
    """
    whole_frames = path.suffix == ".avi" or codec.startswith("mpeg")
    clock = Fraction(1, rate) if whole_frames else Fraction(1, 90000)
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream(codec, rate=rate)
        height, width = (_HEIGHT, _WIDTH) if frames is None else frames[0].shape[:2]
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.codec_context.time_base = video.time_base = clock
        video.options = options or {}
        if aspect:
            video.codec_context.sample_aspect_ratio = aspect
        audio: Any = None
        if sound is not None:
            audio = container.add_stream(sound_codec, rate=16_000, layout="mono")
        for index, seconds in enumerate(times):
            image = _numbered(index) if frames is None else frames[index]
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = round(Fraction(seconds) / clock), clock
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None:
            packets = []
            for begin in range(0, len(sound), 1024):
                piece = np.ascontiguousarray(sound[None, begin : begin + 1024])
                frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="mono")
                frame.sample_rate, frame.time_base = 16_000, Fraction(1, 16_000)
                frame.pts = begin + round(sound_from * 16_000)
                packets += audio.encode(frame)
            packets += audio.encode(None)
            container.mux([p for i, p in enumerate(packets) if i not in without_sound])
    return path


def _steady(count: int, rate: float) -> list[float]:
    return [index / rate for index in range(count)]


def _numbers(path: Path, **options: float) -> list[int]:
    return [_number(frame) for frame in read_frames(path, **options)]


def _lag(part: np.ndarray, whole: np.ndarray) -> int:
    """Samples by which `part` comes later than `whole`."""
    found = correlate(part.astype(float), whole.astype(float), mode="full")
    return int(found.argmax()) - (len(whole) - 1)


# --- which frames ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [12, 24, 25, 30, 50, 60])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_any_rate_becomes_25_by_taking_the_nearest_frame(tmp_path: Path, rate: int, suffix: str):
    # Matroska rounds time stamps to milliseconds, which must cost no frame and add none.
    film = _film(tmp_path / f"a.{suffix}", _steady(2 * rate, rate), rate=rate)
    nearest = [min(2 * rate - 1, int(np.floor(k * rate / 25 + 0.5))) for k in range(50)]
    assert _numbers(film) == nearest
    assert probe(film).fps == pytest.approx(rate, rel=1e-3)


def test_variable_rate_goes_by_time_stamps(tmp_path: Path):
    times = [0.0, 0.04, 0.5, 0.52, 0.9, 1.2]
    got = _numbers(_film(tmp_path / "a.mp4", times))
    wanted = [int(np.abs(np.array(times) - k / 25).argmin()) for k in range(31)]
    assert got[:31] == wanted
    assert set(got[31:]) <= {5}  # however long the last frame is held
    assert len(got) <= 31 + 6


def test_another_output_rate(tmp_path: Path):
    film = _film(tmp_path / "a.mp4", _steady(50, 25))
    assert _numbers(film, fps=5) == list(range(0, 50, 5))
    assert _numbers(film, fps=50)[:6] == [0, 0, 1, 1, 2, 2]


def test_time_begins_with_the_first_frame(tmp_path: Path):
    film = _film(tmp_path / "a.mkv", [3 + t for t in _steady(50, 25)])
    assert probe(film).start == pytest.approx(3, abs=1e-3)
    assert _numbers(film) == list(range(50))
    assert _numbers(film, start=0.4, end=0.8) == list(range(10, 20))
    assert _numbers(film, start=1.6) == list(range(40, 50))


_CONTAINERS = [
    ("mp4", "libx264", "aac"),
    ("mov", "libx264", "aac"),
    ("mkv", "libx264", "flac"),
    ("webm", "libvpx", "libopus"),
    ("flv", "libx264", "aac"),
    ("ts", "libx264", "mp2"),
    ("mpg", "mpeg1video", "mp2"),
    ("vob", "mpeg2video", "mp2"),
    ("avi", "mpeg4", "mp3"),
    ("avi", "libx264", "mp3"),
    ("3gp", "mpeg4", "aac"),
]


@pytest.mark.parametrize(("suffix", "codec", "sound_codec"), _CONTAINERS)
def test_a_segment_is_a_slice_of_the_whole_in_every_container(
    tmp_path: Path, suffix: str, codec: str, sound_codec: str
):
    # Key frames every second and B-frames between: seeking lands off the mark in a way of its own
    # in nearly every one of these.
    film = _film(
        tmp_path / f"a.{suffix}",
        _steady(100, 25),
        codec=codec,
        sound=_noise(4),
        sound_codec=sound_codec,
        options={"g": "25"} if codec == "libvpx" else {"g": "25", "bf": "2"},
    )
    assert _numbers(film) == list(range(100))
    whole = read_audio(film).samples
    for begin, end in ((10, 20), (30, 33), (50, 60), (75, 100)):
        assert _numbers(film, start=begin / 25, end=end / 25) == list(range(begin, end))
        part = read_audio(film, start=begin / 25, end=end / 25).samples
        assert len(part) == (end - begin) * 640
        # Codecs need a run-up, and Matroska rounds to milliseconds: 16 samples.
        assert abs(_lag(part[640:], whole[begin * 640 : end * 640]) - -640) <= 16
    assert _numbers(film, start=2.04) == list(range(51, 100))


@pytest.mark.parametrize(("suffix", "every"), [("ts", 50), ("ts", 100), ("flv", 100)])
def test_a_segment_far_from_a_key_frame(tmp_path: Path, suffix: str, every: int):
    # A transport stream has no index: a seek lands anywhere, and the next key frame is too late.
    film = _film(
        tmp_path / f"a.{suffix}",
        _steady(100, 25),
        sound=_noise(4),
        sound_codec="aac",
        options={"g": str(every), "bf": "0"},
    )
    whole = read_audio(film).samples
    for begin, end in ((40, 60), (48, 50), (90, 100)):
        assert _numbers(film, start=begin / 25, end=end / 25) == list(range(begin, end))
        part = read_audio(film, start=begin / 25, end=end / 25).samples
        assert abs(_lag(part, whole[begin * 640 : end * 640])) <= 16


def test_a_segment_of_a_file_that_was_streamed_to_disk(tmp_path: Path):
    # Written without going back, so that there is neither index nor duration.
    class Pipe:
        def __init__(self) -> None:
            self.data = bytearray()

        def write(self, data: bytes) -> int:
            self.data += data
            return len(data)

    options = {"g": "25", "bf": "0"}
    made = _film(tmp_path / "a.mkv", _steady(100, 25), sound=_noise(4), options=options)
    pipe, streamed = Pipe(), tmp_path / "b.mkv"
    with av.open(str(made)) as source, av.open(pipe, "w", format="matroska") as target:
        streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    streamed.write_bytes(pipe.data)
    whole = read_audio(made).samples
    assert _numbers(streamed) == list(range(100))
    assert probe(streamed).fps == 0  # it does not say
    for begin, end in ((30, 33), (60, 80)):
        assert _numbers(streamed, start=begin / 25, end=end / 25) == list(range(begin, end))
        part = read_audio(streamed, start=begin / 25, end=end / 25).samples
        assert np.array_equal(part, whole[begin * 640 : end * 640])


@pytest.mark.parametrize(
    "name",
    [
        "grid_eval_bbaf2n.mpg",
        "av2av_1.webm",
        "av2av_TRajLqEaWhQ_00002.mp4",
        "crema_1001_DFA_ANG_XX.mkv",
        "vexpress_RD_Radio10.mp4",
    ],
)
def test_a_segment_is_a_slice_of_the_whole_in_real_clips(shared_data: Path, name: str):
    clip = shared_data / "clips" / name
    whole, sound = list(read_frames(clip)), read_audio(clip).samples
    for begin, end in ((10, 30), (30, 45)):
        part = list(read_frames(clip, start=begin / 25, end=end / 25))
        assert len(part) == end - begin
        assert all(np.array_equal(a, b) for a, b in zip(part, whole[begin:end], strict=True))
        heard = read_audio(clip, start=begin / 25, end=end / 25).samples
        wanted = sound[begin * 640 : end * 640]
        assert len(heard) == len(wanted)
        assert abs(_lag(heard, wanted)) <= 16


def test_a_segment_beyond_the_end_is_empty(tmp_path: Path):
    film = _film(tmp_path / "a.mp4", _steady(25, 25))
    assert _numbers(film, start=1.0) == []
    assert _numbers(film, start=7.0) == []


def test_frames_can_be_read_twice_in_memory_or_not(tmp_path: Path):
    film = _film(tmp_path / "a.mp4", _steady(60, 25))
    kept = Frames(film, 0.4, 1.6)
    decoded_anew = Frames(film, 0.4, 1.6, keep_bytes=3 * _HEIGHT * _WIDTH * 5)
    for frames in (kept, decoded_anew):
        for _ in range(2):
            assert [_number(frame) for frame in frames] == list(range(10, 40))
    next(iter(broken_off := Frames(film, 0.4, 1.6)))
    assert [_number(frame) for frame in broken_off] == list(range(10, 40))
    film.unlink()
    assert len(list(kept)) == 30
    with pytest.raises(MediaError, match="no such file"):
        list(decoded_anew)


# --- as displayed ---------------------------------------------------------------------------------


def test_pixels_that_are_not_square_become_square(tmp_path: Path):
    film = _film(tmp_path / "a.mp4", _steady(3, 25), aspect=Fraction(16, 11))
    info, frames = probe(film), list(read_frames(film))
    assert (info.width, info.height) == (round(_WIDTH * 16 / 11), _HEIGHT)
    assert frames[0].shape == (info.height, info.width, 3)
    assert [_number(frame) for frame in frames] == [0, 1, 2]


# a, b, c, d of QuickTime's matrix, and what NumPy makes of it.
_TURNS = {
    "90": ((0, 1, -1, 0), lambda image: np.rot90(image, -1)),
    "180": ((-1, 0, 0, -1), lambda image: np.rot90(image, 2)),
    "270": ((0, -1, 1, 0), lambda image: np.rot90(image, 1)),
    "mirrored": ((-1, 0, 0, 1), lambda image: image[:, ::-1]),
    "upside down in a mirror": ((1, 0, 0, -1), lambda image: image[::-1]),
    "transposed": ((0, 1, 1, 0), lambda image: image.transpose(1, 0, 2)),
    "transposed the other way": ((0, -1, -1, 0), lambda image: np.rot90(image, 2).swapaxes(0, 1)),
}


@pytest.mark.parametrize("turn", _TURNS)
def test_rotation_and_mirror_of_a_phone_are_applied(tmp_path: Path, turn: str):
    corners = np.array([[[240, 0, 0], [0, 240, 0]], [[0, 0, 240], [240, 240, 240]]], np.uint8)
    image = np.kron(corners, np.ones((_HEIGHT // 2, _WIDTH // 2, 1), np.uint8))
    matrix, as_shown = _TURNS[turn]
    film = tmp_path / "a.mp4"
    turned(lambda path: _film(path, _steady(3, 25), frames=[image] * 3), matrix)(film)

    wanted, info = as_shown(image), probe(film)
    got = next(read_frames(film))
    assert got.shape == wanted.shape == (info.height, info.width, 3)
    assert got.flags.c_contiguous
    height, width = got.shape[:2]
    for y in (height // 4, 3 * height // 4):
        for x in (width // 4, 3 * width // 4):
            np.testing.assert_allclose(got[y, x], wanted[y, x], atol=12)
    if turn.isdigit():
        assert info.rotation == -int(turn) % 360


@pytest.mark.parametrize("aspect", [Fraction(1, 50), Fraction(50)])
def test_pixels_of_a_shape_beyond_belief_are_taken_for_square(tmp_path: Path, aspect: Fraction):
    film = _film(tmp_path / "a.mp4", _steady(3, 25), aspect=aspect)
    assert next(read_frames(film)).shape == (_HEIGHT, _WIDTH, 3)


def test_a_size_that_changes_on_the_way_does_not_change_the_frames(tmp_path: Path):
    # As the recording of a video call does: the picture is larger from half a second on.
    larger = [np.kron(_numbered(k + 12), np.ones((2, 2, 1), np.uint8)) for k in range(13)]
    parts = (
        lambda path: _film(path, _steady(12, 25), options={"bf": "0"}),
        lambda path: _film(
            path, [0.48 + t for t in _steady(13, 25)], frames=larger, options={"bf": "0"}
        ),
    )
    joined(*parts)(tmp_path / "a.ts")
    frames = list(read_frames(tmp_path / "a.ts"))
    assert {frame.shape for frame in frames} == {(_HEIGHT, _WIDTH, 3)}
    assert [_number(frame) for frame in frames] == list(range(25))


@pytest.mark.parametrize(("matrix", "red", "blue"), [(1, 0.2126, 0.0722), (6, 0.299, 0.114)])
@pytest.mark.parametrize("full_range", [False, True])
def test_colours_follow_the_matrix_and_range_of_the_file(
    tmp_path: Path, matrix: int, red: float, blue: float, full_range: bool
):
    # Y'CbCr by the formula of BT.709 (1) or BT.601 (6), in studio or in full range.
    r, g, b = rgb = np.array([200, 40, 60]) / 255
    y = red * r + (1 - red - blue) * g + blue * b
    chroma = (b - y) / (2 - 2 * blue), (r - y) / (2 - 2 * red)
    planes = [255 * y, *(128 + 255 * c for c in chroma)]
    if not full_range:
        planes = [16 + 219 * y, *(128 + 224 * c for c in chroma)]
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=25, options={"crf": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.codec_context.colorspace = matrix
        stream.codec_context.color_range = 2 if full_range else 1
        for index in range(3):
            frame = av.VideoFrame(64, 48, "yuv420p")
            for plane, value in zip(frame.planes, planes, strict=True):
                plane.update(bytes([round(value)]) * plane.buffer_size)
            frame.colorspace, frame.color_range = matrix, 2 if full_range else 1
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    got = next(read_frames(path)).mean((0, 1))
    np.testing.assert_allclose(got, rgb * 255, atol=4)


# --- sound ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("late", [0.2, -0.2, 0.0])
def test_sound_begins_with_the_first_frame(tmp_path: Path, late: float):
    sound = _noise(2)
    film = _film(
        tmp_path / "a.mkv", [1 + t for t in _steady(50, 25)], sound=sound, sound_from=1 + late
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
    sound = _noise(4)
    film = _film(tmp_path / "a.mkv", _steady(100, 25), sound=sound, without_sound=range(20, 30))
    got = read_audio(film).samples
    assert len(got) == len(sound)
    assert not got[20 * 1024 : 30 * 1024].any()
    assert np.array_equal(got[: 20 * 1024], sound[: 20 * 1024])
    assert np.array_equal(got[30 * 1024 + 100 :], sound[30 * 1024 + 100 :])


@pytest.mark.parametrize("by", [0.06, -0.06])
def test_sound_keeps_to_its_time_stamps(tmp_path: Path, by: float):
    # Where they leave a gap there is silence, and where they overlap the later sound counts.
    sound, film = _noise(4), tmp_path / "a.mkv"
    make = partial(_film, times=_steady(100, 25), sound=sound, options={"bf": "0"})
    late = 20 * 1024 / 16_000
    repacked(make, lambda kind, time: by if kind == "audio" and time > late - 0.001 else 0)(film)
    got, moved = read_audio(film).samples, round(by * 16_000)
    at = 20 * 1024
    assert np.array_equal(got[: at + min(moved, 0)], sound[: at + min(moved, 0)])
    assert not got[at : at + moved].any()
    assert np.array_equal(got[at + moved :][:40_000], sound[at:][:40_000])


def test_sound_that_jitters_about_its_time_is_left_alone(tmp_path: Path):
    sound, film, rng = _noise(4), tmp_path / "a.mkv", np.random.default_rng(0)
    make = partial(_film, times=_steady(100, 25), sound=sound, options={"bf": "0"})
    repacked(
        make, lambda kind, time: rng.uniform(0, 0.03) if kind == "audio" and time > 0.01 else 0
    )(film)
    assert np.array_equal(read_audio(film).samples, sound)


def test_sound_that_changes_its_format_on_the_way_stays_in_place(tmp_path: Path):
    def part(path: Path, first: float, **sound: Any) -> None:
        write_film(
            path,
            said=lambda time: voice(time + first),
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


def _wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def test_sound_without_picture(tmp_path: Path):
    sound = _noise(4)
    path = _wav(tmp_path / "a.wav", sound, 16_000)
    assert np.array_equal(read_audio(path).samples, sound)
    # A segment far enough in to be sought, and one that is not.
    assert np.array_equal(read_audio(path, start=2.5, end=3).samples, sound[40_000:48_000])
    assert np.array_equal(read_audio(path, start=0.5, end=1).samples, sound[8_000:16_000])
    assert np.array_equal(read_audio(path, start=3).samples, sound[48_000:])


def test_cover_art_is_no_picture(tmp_path: Path):
    # An MP3 with a cover: time zero is the sound's, not that of the still.
    plain, covered = tmp_path / "a.mp3", tmp_path / "b.mp3"
    sound = _noise(2)
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
    assert _lag(read_audio(covered).samples, read_audio(plain).samples) == 0


def test_resampling_and_mixing_keep_pitch_and_level(tmp_path: Path):
    seconds = np.arange(44_100) / 44_100
    left, right = np.sin(2 * np.pi * 440 * seconds), np.sin(2 * np.pi * 1000 * seconds)
    stereo = (8000 * np.stack([left, right], 1)).astype(np.int16)
    path = _wav(tmp_path / "a.wav", stereo, 44_100)
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


# --- what cannot be read --------------------------------------------------------------------------


def test_what_is_no_video_gets_a_sentence_that_names_it(tmp_path: Path):
    text, empty = tmp_path / "text.mp4", tmp_path / "empty.mkv"
    text.write_text("this is no film\n" * 50)
    empty.write_bytes(b"")
    for path in (text, empty, tmp_path / "absent.mp4", tmp_path):
        for read in (probe, read_audio, lambda path: list(read_frames(path))):
            with pytest.raises(MediaError) as caught:
                read(path)
            assert str(path) in str(caught.value)


def test_sound_alone_and_picture_alone_say_what_they_lack(tmp_path: Path):
    sound = _wav(tmp_path / "a.wav", _noise(1), 16_000)
    silent = _film(tmp_path / "a.mp4", _steady(5, 25))
    assert probe(silent).audio_rate == 0
    with pytest.raises(MediaError, match="no video stream"):
        probe(sound)
    with pytest.raises(MediaError, match="no video stream"):
        list(read_frames(sound))
    with pytest.raises(MediaError, match="no sound stream"):
        read_audio(silent)


def _sentence(path: Path) -> str:
    """What is said of a file that cannot be read."""
    with pytest.raises(MediaError) as caught:
        probe(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_is_no_file_is_not_waited_for(tmp_path: Path):
    names = ("pipe", "device", "lost", "loop", "folder", "good")
    pipe, device, lost, loop, folder, good = (tmp_path / f"{name}.mp4" for name in names)
    os.mkfifo(pipe)
    device.symlink_to("/dev/zero")
    lost.symlink_to("nowhere.mp4")
    loop.symlink_to(loop.name)
    folder.mkdir()
    good.symlink_to(_film(tmp_path / "a.mp4", _steady(3, 25)))
    assert "pipe or a device" in _sentence(pipe)
    assert "pipe or a device" in _sentence(device)
    assert "a link to nowhere.mp4, which is absent" in _sentence(lost)
    assert "leads back to itself" in _sentence(loop)
    assert "is a folder" in _sentence(folder)
    assert "File name too long" in _sentence(tmp_path / ("x" * 300 + ".mp4"))
    assert _numbers(good) == [0, 1, 2]


def test_a_playlist_fetches_nothing(tmp_path: Path):
    # What a download that went wrong leaves; FFmpeg knows how to follow it.
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/a.ts"
        list_ = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{address}\n#EXT-X-ENDLIST\n"
        for name in ("a.mp4", "a.m3u8"):
            (tmp_path / name).write_text(list_)
            assert "no media file" in _sentence(tmp_path / name)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_codec_that_ffmpeg_lacks_is_told(tmp_path: Path):
    picture, sound = tmp_path / "a.mp4", tmp_path / "a.mkv"
    recoded(lambda path: _film(path, _steady(3, 25)), b"avc1", b"zzz1")(picture)
    make = partial(_film, times=_steady(3, 25), sound=_noise(1), sound_codec="aac")
    recoded(make, b"A_AAC", b"A_ZZZ")(sound)
    assert "no decoder for its video" in _sentence(picture)
    with pytest.raises(MediaError, match="no decoder for its audio"):
        read_audio(sound)


def test_a_cover_alone_is_no_video(tmp_path: Path):
    picture = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 0, 0)).save(picture, "JPEG")

    def cover(container: Any) -> None:
        container.add_attachment("cover.jpg", "image/jpeg", picture.getvalue())

    write_film(tmp_path / "a.mkv", picture=None, extra=cover)
    assert "holds no video stream" in _sentence(tmp_path / "a.mkv")
    write_film(tmp_path / "b.mkv", extra=cover)
    assert probe(tmp_path / "b.mkv").codec == "h264"


@pytest.mark.parametrize("back", [True, False])
@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_clock_that_jumps_is_refused(tmp_path: Path, back: bool, kind: str):
    # Read on, its frames and its sound would drift apart, or one frame fill hours.
    film = tmp_path / "a.ts"
    make = partial(
        _film, times=_steady(50, 25), sound=_noise(2), sound_codec="mp2", options={"bf": "0"}
    )
    if back:
        joined(make, make)(film)
    else:
        repacked(make, lambda which, time: 5000 if which == kind and time > 1 else 0)(film)
    read = {"video": _numbers, "audio": read_audio}[kind]
    with pytest.raises(MediaError, match="put end to end; cut it there"):
        read(film)
    # What lies before is to be had.
    assert _numbers(film, end=0.4) == list(range(10))
    assert len(read_audio(film, end=0.4).samples) == 6400


def test_a_long_pause_is_none(tmp_path: Path):
    # Nothing is sent while the camera of a call is off.
    film = _film(tmp_path / "a.mp4", [0, 0.04, 300, 300.04])
    assert _numbers(film, fps=0.1) == [0] + [1] * 15 + [2] * 15


def test_a_rate_beyond_belief_does_not_fill_hours_with_one_frame(tmp_path: Path):
    write_film(tmp_path / "a.mp4", fps=Fraction(1, 5000), seconds=5000, sound=None)
    assert probe(tmp_path / "a.mp4").fps == 0
    assert len(list(read_frames(tmp_path / "a.mp4"))) == 1


@pytest.mark.parametrize("suffix", ["flv", "mp4", "mkv", "ts"])
def test_rotten_bytes_cost_frames_and_not_the_film(tmp_path: Path, suffix: str):
    # Decoders have many ways to say that data is damaged; AAC's is "Operation not permitted".
    film = tmp_path / f"a.{suffix}"
    make = partial(_film, times=_steady(50, 25), sound=_noise(2), sound_codec="aac")
    flipped(make, 0.3, 0.8, 500)(film)
    assert len(_numbers(film)) == pytest.approx(50, abs=10)
    assert read_audio(film).seconds == pytest.approx(2, abs=0.5)


def test_a_film_cut_off_gives_the_frames_before_the_cut(tmp_path: Path):
    film = _film(tmp_path / "a.mkv", _steady(100, 25), sound=_noise(4), options={"g": "5"})
    data = film.read_bytes()
    film.write_bytes(data[: len(data) * 6 // 10])
    numbers = _numbers(film)
    assert 5 < len(numbers) < 100
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize(
    "name", ["a:b.mp4", "-i.mp4", "100% 😀 %d.mp4", "a\nb.mp4", "a'b\"[c].mp4", "http:x.mp4"]
)
def test_odd_names_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    plain = _film(tmp_path / "a.mp4", _steady(5, 25))
    plain.rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert _numbers(tmp_path / name) == list(range(5))
    assert [_number(frame) for frame in read_frames(name)] == list(range(5))


# --- writing --------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_written_video_reads_back_in_step_with_its_sound(tmp_path: Path, suffix: str, rate: int):
    sound = _noise(3, rate)  # a second longer than the picture
    path = tmp_path / f"a{suffix}"
    tags = {"comment": "synthetic"}
    frames = (_numbered(index) for index in range(50))
    assert write_video(path, frames, audio=Audio(sound, rate), metadata=tags) == 50
    assert _numbers(path) == list(range(50))
    got = read_audio(path, rate=None)
    assert got.rate == rate
    assert abs(got.seconds - 2) < 0.05
    assert _lag(got.samples[: 2 * rate], sound[: 2 * rate]) == 0
    with av.open(str(path)) as container:
        assert {k.lower(): v for k, v in container.metadata.items()}["comment"] == "synthetic"
        assert container.streams.video[0].codec_context.name == "h264"
        assert container.streams.video[0].codec_context.pix_fmt == "yuv420p"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_video_is_faithful(tmp_path: Path):
    rng = np.random.default_rng(0)
    patches = rng.integers(0, 256, (6, 4, 4, 3)).astype(np.uint8)
    frames = np.kron(patches, np.ones((1, 32, 32, 1), np.uint8))
    write_video(tmp_path / "a.mp4", frames)
    back = np.stack(list(read_frames(tmp_path / "a.mp4"))).astype(float)
    centres = (slice(None), slice(8, None, 32), slice(8, None, 32))
    # Away from edges, where chroma is halved; a wrong matrix or range is off by 10 and more.
    assert np.abs(back[centres] - frames[centres]).mean() < 3


def test_stereo_is_kept(tmp_path: Path):
    seconds = np.arange(32_000) / 16_000
    tone = (8000 * np.sin(2 * np.pi * 500 * seconds)).astype(np.int16)
    stereo = np.stack([tone, np.zeros_like(tone)], 1)
    write_video(tmp_path / "a.mp4", [_numbered(0)] * 50, audio=Audio(stereo))
    got = read_audio(tmp_path / "a.mp4", mono=False).samples
    assert got.ndim == 2
    assert np.abs(got[4000:28_000, 0]).max() > 7000
    assert np.abs(got[4000:28_000, 1]).max() < 300


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path):
    with pytest.raises(MediaError, match=r"\.mp4"):
        write_video(tmp_path / "a.avi", [_numbered(0)])
    with pytest.raises(MediaError, match="not one frame"):
        write_video(tmp_path / "a.mp4", [])
    for name in ("a.xyz", "a"):
        with pytest.raises(MediaError, match=r"\.png"):
            write_image(tmp_path / name, _numbered(0))
    assert list(tmp_path.iterdir()) == []


# --- pictures -------------------------------------------------------------------------------------


def test_pictures_are_rgb_and_turned_by_exif(tmp_path: Path):
    image = np.zeros((40, 60, 3), np.uint8)
    image[:20, :30] = [250, 10, 20]
    write_image(tmp_path / "a.png", image)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a.png")), image)
    assert np.array_equal(read_image(tmp_path / "a.png"), image)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to display
    Image.fromarray(image).save(tmp_path / "b.jpg", exif=exif, quality=95, subsampling=0)
    turned = read_image(tmp_path / "b.jpg").astype(int)
    assert turned.shape == (60, 40, 3)
    assert np.abs(turned - np.rot90(image, -1)).mean() < 3


def test_grey_and_transparent_pictures_have_three_channels(tmp_path: Path):
    Image.new("L", (8, 6), 77).save(tmp_path / "grey.png")
    Image.new("RGBA", (8, 6), (10, 20, 30, 128)).save(tmp_path / "clear.png")
    assert (read_image(tmp_path / "grey.png") == 77).all()
    assert (read_image(tmp_path / "clear.png") == [10, 20, 30]).all()


def test_what_is_no_picture_gets_a_sentence(tmp_path: Path):
    (tmp_path / "a.jpg").write_text("no picture")
    (tmp_path / "b.jpg").write_bytes(b"")
    for name in ("a.jpg", "b.jpg", "absent.jpg"):
        with pytest.raises(MediaError, match=name):
            read_image(tmp_path / name)
