"""Which frames of a video come out: at any rate, of any part, from every container."""

from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.media import Frames, MediaError, probe, read_audio, read_frames
from tests.pipeline.media.numbered import (
    lag_of,
    number_on,
    numbers_in,
    steady,
    white_noise,
    write_numbered,
)


@pytest.mark.parametrize("rate", [12, 24, 25, 30, 50, 60])
@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_any_rate_becomes_25_by_taking_the_nearest_frame(tmp_path: Path, rate: int, suffix: str):
    # Matroska rounds time stamps to milliseconds, which must cost no frame and add none.
    film = write_numbered(tmp_path / f"a.{suffix}", steady(2 * rate, rate), rate=rate)
    nearest = [min(2 * rate - 1, int(np.floor(k * rate / 25 + 0.5))) for k in range(50)]
    assert numbers_in(film) == nearest
    assert probe(film).fps == pytest.approx(rate, rel=1e-3)


def test_variable_rate_goes_by_time_stamps(tmp_path: Path):
    times = [0.0, 0.04, 0.5, 0.52, 0.9, 1.2]
    got = numbers_in(write_numbered(tmp_path / "a.mp4", times))
    wanted = [int(np.abs(np.array(times) - k / 25).argmin()) for k in range(31)]
    assert got[:31] == wanted
    assert set(got[31:]) <= {5}  # however long the last frame is held
    assert len(got) <= 31 + 6


def test_another_output_rate(tmp_path: Path):
    film = write_numbered(tmp_path / "a.mp4", steady(50, 25))
    assert numbers_in(film, fps=5) == list(range(0, 50, 5))
    assert numbers_in(film, fps=50)[:6] == [0, 0, 1, 1, 2, 2]


def test_time_begins_with_the_first_frame(tmp_path: Path):
    film = write_numbered(tmp_path / "a.mkv", [3 + t for t in steady(50, 25)])
    assert probe(film).start == pytest.approx(3, abs=1e-3)
    assert numbers_in(film) == list(range(50))
    assert numbers_in(film, start=0.4, end=0.8) == list(range(10, 20))
    assert numbers_in(film, start=1.6) == list(range(40, 50))


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
    film = write_numbered(
        tmp_path / f"a.{suffix}",
        steady(100, 25),
        codec=codec,
        sound=white_noise(4),
        sound_codec=sound_codec,
        options={"g": "25"} if codec == "libvpx" else {"g": "25", "bf": "2"},
    )
    assert numbers_in(film) == list(range(100))
    whole = read_audio(film).samples
    for begin, end in ((10, 20), (30, 33), (50, 60), (75, 100)):
        assert numbers_in(film, start=begin / 25, end=end / 25) == list(range(begin, end))
        part = read_audio(film, start=begin / 25, end=end / 25).samples
        assert len(part) == (end - begin) * 640
        # Codecs need a run-up, and Matroska rounds to milliseconds: 16 samples.
        assert abs(lag_of(part[640:], whole[begin * 640 : end * 640]) - -640) <= 16
    assert numbers_in(film, start=2.04) == list(range(51, 100))


@pytest.mark.parametrize(("suffix", "every"), [("ts", 50), ("ts", 100), ("flv", 100)])
def test_a_segment_far_from_a_key_frame(tmp_path: Path, suffix: str, every: int):
    # A transport stream has no index: a seek lands anywhere, and the next key frame is too late.
    film = write_numbered(
        tmp_path / f"a.{suffix}",
        steady(100, 25),
        sound=white_noise(4),
        sound_codec="aac",
        options={"g": str(every), "bf": "0"},
    )
    whole = read_audio(film).samples
    for begin, end in ((40, 60), (48, 50), (90, 100)):
        assert numbers_in(film, start=begin / 25, end=end / 25) == list(range(begin, end))
        part = read_audio(film, start=begin / 25, end=end / 25).samples
        assert abs(lag_of(part, whole[begin * 640 : end * 640])) <= 16


def test_a_segment_of_a_file_that_was_streamed_to_disk(tmp_path: Path):
    # Written without going back, so that there is neither index nor duration.
    class Pipe:
        def __init__(self) -> None:
            self.data = bytearray()

        def write(self, data: bytes) -> int:
            self.data += data
            return len(data)

    options = {"g": "25", "bf": "0"}
    made = write_numbered(
        tmp_path / "a.mkv", steady(100, 25), sound=white_noise(4), options=options
    )
    pipe, streamed = Pipe(), tmp_path / "b.mkv"
    with av.open(str(made)) as source, av.open(pipe, "w", format="matroska") as target:
        streams = {s.index: target.add_stream_from_template(s) for s in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = streams[packet.stream.index]
                target.mux(packet)
    streamed.write_bytes(pipe.data)
    whole = read_audio(made).samples
    assert numbers_in(streamed) == list(range(100))
    assert probe(streamed).fps == 0  # it does not say
    for begin, end in ((30, 33), (60, 80)):
        assert numbers_in(streamed, start=begin / 25, end=end / 25) == list(range(begin, end))
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
        assert abs(lag_of(heard, wanted)) <= 16


def test_a_segment_beyond_the_end_is_empty(tmp_path: Path):
    film = write_numbered(tmp_path / "a.mp4", steady(25, 25))
    assert numbers_in(film, start=1.0) == []
    assert numbers_in(film, start=7.0) == []


def test_frames_can_be_read_twice(tmp_path: Path):
    film = write_numbered(tmp_path / "a.mp4", steady(60, 25))
    frames = Frames(film, 0.4, 1.6)
    for _ in range(2):
        assert [number_on(frame) for frame in frames] == list(range(10, 40))
    assert [number_on(frame) for frame in frames.part(slice(2, 5))] == [12, 13, 14]
    film.unlink()
    with pytest.raises(MediaError, match="no such file"):
        list(frames)
