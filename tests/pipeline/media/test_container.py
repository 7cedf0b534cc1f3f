"""Files that cannot be read, or not to their end, or that are called oddly."""

import io
import os
import socket
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.media import MediaError, is_video, probe, read_audio, read_frames
from tests.faults.inputs.damage import flipped, joined, recoded, repacked
from tests.faults.inputs.films import write_film
from tests.pipeline.media.numbered import (
    number_on,
    numbers_in,
    steady,
    white_noise,
    write_numbered,
    write_wav,
)


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
    sound = write_wav(tmp_path / "a.wav", white_noise(1), 16_000)
    silent = write_numbered(tmp_path / "a.mp4", steady(5, 25))
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
    good.symlink_to(write_numbered(tmp_path / "a.mp4", steady(3, 25)))
    assert "pipe or a device" in _sentence(pipe)
    assert "pipe or a device" in _sentence(device)
    assert "a link to nowhere.mp4, which is absent" in _sentence(lost)
    assert "leads back to itself" in _sentence(loop)
    assert "is a folder" in _sentence(folder)
    assert "File name too long" in _sentence(tmp_path / ("x" * 300 + ".mp4"))
    assert numbers_in(good) == [0, 1, 2]


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
    recoded(lambda path: write_numbered(path, steady(3, 25)), b"avc1", b"zzz1")(picture)
    make = partial(write_numbered, times=steady(3, 25), sound=white_noise(1), sound_codec="aac")
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
    assert next(read_frames(tmp_path / "b.mkv")).shape != (32, 32, 3)


# --- what is named wrongly ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", "git lfs pull"),
        (b"<!DOCTYPE html>\n<html><body>Log in</body></html>", "a web page"),
        (b"\n<html>", "a web page"),
        (b"PK\x03\x04" + bytes(99), "a ZIP archive"),
        (b"\x1f\x8b\x08" + bytes(99), "a gzip archive"),
        (b"films/a.mp4".ljust(257, b"\0") + b"ustar" + bytes(400), "a tar archive"),
    ],
)
def test_what_lies_in_place_of_a_film_is_named(content: bytes, words: str, tmp_path: Path):
    (tmp_path / "a.mp4").write_bytes(content)
    assert words in _sentence(tmp_path / "a.mp4")
    with pytest.raises(MediaError, match=words):
        read_audio(tmp_path / "a.mp4")


def test_a_real_pointer_is_named(shared_cases: Path):
    assert "git lfs pull" in _sentence(shared_cases / "pointer" / "1001_DFA_ANG_XX.flv")


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi", "mpg", "ts", "flv", "asf", "mxf", "webm"])
def test_a_video_is_known_by_its_beginning(suffix: str, tmp_path: Path):
    options = {"webm": {"codec": "libvpx-vp9", "sound": None}, "mpg": {"codec": "mpeg1video"}}
    sound = {"sound": "mp2"} if suffix in ("mpg", "ts") else {}
    sound |= {"sound": "pcm_s16le", "rate": 48_000} if suffix == "mxf" else {}
    film = tmp_path / f"a.{suffix}"
    write_film(film, seconds=0.4, **sound | options.get(suffix, {}))
    assert is_video(str(film))
    for name in ("a.unknown", "without suffix"):
        film.rename(tmp_path / name)
        film = tmp_path / name
        assert is_video(str(film))
    film.rename(tmp_path / "a.bin")  # known to be no video: not looked into
    assert not is_video(str(tmp_path / "a.bin"))
    (tmp_path / "text").write_text("no video")
    assert not is_video(str(tmp_path / "text"))
    assert not is_video(str(tmp_path / "absent"))


# --- clocks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("back", [True, False])
@pytest.mark.parametrize("kind", ["video", "audio"])
def test_a_clock_that_jumps_is_refused(tmp_path: Path, back: bool, kind: str):
    # Read on, its frames and its sound would drift apart, or one frame fill hours.
    film = tmp_path / "a.ts"
    make = partial(
        write_numbered,
        times=steady(50, 25),
        sound=white_noise(2),
        sound_codec="mp2",
        options={"bf": "0"},
    )
    if back:
        joined(make, make)(film)
    else:
        repacked(make, lambda which, time: 5000 if which == kind and time > 1 else 0)(film)
    read = {"video": numbers_in, "audio": read_audio}[kind]
    with pytest.raises(MediaError, match="put end to end; cut it there"):
        read(film)
    # What lies before is to be had.
    assert numbers_in(film, end=0.4) == list(range(10))
    assert len(read_audio(film, end=0.4).samples) == 6400


def test_a_long_pause_is_none(tmp_path: Path):
    # Nothing is sent while the camera of a call is off.
    film = write_numbered(tmp_path / "a.mp4", [0, 0.04, 300, 300.04])
    assert numbers_in(film, fps=0.1) == [0] + [1] * 15 + [2] * 15


def test_a_rate_beyond_belief_does_not_fill_hours_with_one_frame(tmp_path: Path):
    write_film(tmp_path / "a.mp4", fps=Fraction(1, 5000), seconds=5000, sound=None)
    assert probe(tmp_path / "a.mp4").fps == 0
    assert len(list(read_frames(tmp_path / "a.mp4"))) == 1


@pytest.mark.parametrize("suffix", ["flv", "mp4", "mkv", "ts"])
def test_rotten_bytes_cost_frames_and_not_the_film(tmp_path: Path, suffix: str):
    # Decoders have many ways to say that data is damaged; AAC's is "Operation not permitted".
    film = tmp_path / f"a.{suffix}"
    make = partial(write_numbered, times=steady(50, 25), sound=white_noise(2), sound_codec="aac")
    flipped(make, 0.3, 0.8, 500)(film)
    assert len(numbers_in(film)) == pytest.approx(50, abs=10)
    assert read_audio(film).seconds == pytest.approx(2, abs=0.5)


def test_a_film_cut_off_gives_the_frames_before_the_cut(tmp_path: Path):
    film = write_numbered(
        tmp_path / "a.mkv", steady(100, 25), sound=white_noise(4), options={"g": "5"}
    )
    data = film.read_bytes()
    film.write_bytes(data[: len(data) * 6 // 10])
    numbers = numbers_in(film)
    assert 5 < len(numbers) < 100
    assert numbers == list(range(len(numbers)))


@pytest.mark.parametrize(
    "name", ["a:b.mp4", "-i.mp4", "100% 😀 %d.mp4", "a\nb.mp4", "a'b\"[c].mp4", "http:x.mp4"]
)
def test_odd_names_are_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    plain = write_numbered(tmp_path / "a.mp4", steady(5, 25))
    plain.rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    assert numbers_in(tmp_path / name) == list(range(5))
    assert [number_on(frame) for frame in read_frames(name)] == list(range(5))
