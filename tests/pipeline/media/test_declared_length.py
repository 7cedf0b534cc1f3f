"""The length that files declare, whole and cut off; by films of known length, and real ones."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.media import probe, read_audio, read_frames
from tests.faults.inputs.case import film
from tests.faults.inputs.cases_of_films import jpeg
from tests.faults.inputs.damage import Make, cut, repacked

_LONG: dict[str, Any] = {"seconds": 2, "coding": {"g": "10", "bf": "0"}}
_FRONT = {"muxing": {"movflags": "+faststart"}}
_WEBM = {"codec": "libvpx-vp9", "sound": "libopus", "rate": 48_000, "seconds": 2}
_AVI = {"codec": "mpeg4", "sound": "ac3", "rate": 48_000, "seconds": 2}
_PROMISING = {
    "a.mp4": film(**_LONG, **_FRONT),
    "a.mov": film(**_LONG, **_FRONT),
    "a.mkv": film(**_LONG),
    "a.webm": film(**_WEBM),
    "a.flv": film(**_LONG),
    "a.avi": film(**_AVI),
    "late.mkv": film(**_LONG, start=100),
}
_SILENT = {
    "a.mpg": film(codec="mpeg1video", sound="mp2", seconds=2),
    "a.ts": film(**_LONG, sound="mp2"),
    "fragments.mp4": film(**_LONG, muxing={"movflags": "frag_keyframe+empty_moov"}),
}


def _missing(path: Path, start: float = 0.0, end: float | None = None) -> float:
    shown = sum(1 for _ in read_frames(path, start=start, end=end)) / 25
    heard = read_audio(path, start=start, end=end).seconds
    return probe(path).declared.missing(shown, heard, start=start, end=end)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*_PROMISING, *_SILENT])
def test_of_a_whole_file_nothing_is_missing(name: str, tmp_path: Path):
    (_PROMISING | _SILENT)[name](tmp_path / name)
    assert _missing(tmp_path / name) == 0
    assert _missing(tmp_path / name, start=0.5, end=1.5) == 0
    assert _missing(tmp_path / name, start=0.5, end=9) == 0


@pytest.mark.slow
@pytest.mark.parametrize(("name", "make"), _PROMISING.items())
def test_of_a_file_that_was_cut_off_the_rest_is_missing(name: str, make: Make, tmp_path: Path):
    path = tmp_path / name
    cut(make, 0.6)(path)
    shown = sum(1 for _ in read_frames(path)) / 25
    assert shown < 1.4
    assert _missing(path) == pytest.approx(2 - shown, abs=0.15)
    assert _missing(path, start=0.2) == pytest.approx(2 - shown, abs=0.15)
    assert _missing(path, end=0.6) == 0


@pytest.mark.parametrize(("name", "make"), _SILENT.items())
def test_what_does_not_say_how_long_it_is_lacks_nothing(name: str, make: Make, tmp_path: Path):
    cut(make, 0.6)(tmp_path / name)
    assert _missing(tmp_path / name) == 0


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "flv", "webm"])
def test_sound_that_goes_on_is_no_missing_picture(suffix: str, tmp_path: Path):
    sound = {"sound": "libopus", "rate": 48_000} if suffix == "webm" else {}
    codec = {"codec": "libvpx-vp9"} if suffix == "webm" else {}
    path = tmp_path / f"a.{suffix}"
    film(sound_seconds=(0, 3), **sound, **codec)(path)
    assert _missing(path) == 0


def test_a_beginning_that_does_not_decode_is_not_counted(tmp_path: Path):
    plain = film(coding={"bf": "0", "g": "10"})
    late = repacked(plain, lambda kind, t: None if kind == "video" and t < 0.2 else 0)
    for name, make in (("late.mkv", late), ("trimmed.mp4", film(start=-0.4))):
        make(tmp_path / name)
        assert _missing(tmp_path / name) == 0


@pytest.mark.parametrize("name", ["a.jpg", "a.mp4", "b"])
def test_a_still_picture_is_told_by_its_content(name: str, tmp_path: Path):
    (tmp_path / name).write_bytes(jpeg())
    assert probe(tmp_path / name).is_still


def test_a_film_is_no_still_picture(tmp_path: Path):
    film()(tmp_path / "a.mp4")
    assert not probe(tmp_path / "a.mp4").is_still


@pytest.mark.slow
def test_of_real_clips_nothing_is_missing(shared_data: Path):
    paths = [path for path in sorted((shared_data / "clips").iterdir()) if path.suffix != ".mpg"]
    assert len(paths) > 50
    found = {path.name: _missing(path) for path in paths if probe(path).audio_rate}
    assert {name: seconds for name, seconds in found.items() if seconds} == {}
