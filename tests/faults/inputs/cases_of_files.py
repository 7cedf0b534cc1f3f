"""What is no film, what is damaged, what is named oddly, and what lies oddly in a folder."""

import os
from pathlib import Path

import numpy as np

from tests.faults.inputs.case import Case, failed, film, skipped
from tests.faults.inputs.cases_of_films import jpeg
from tests.faults.inputs.damage import Make, cut, flipped, followed, zeroed

FORBIDDEN = "forbidden.mp4"

_NO_MEDIA = "no media file"
_SHORT = film(seconds=0.4)
_LONG = {"seconds": 2, "coding": {"g": "10", "bf": "0"}}
_FRONT = {"muxing": {"movflags": "+faststart"}}  # the index before the film
_WEBM = {"codec": "libvpx-vp9", "sound": "libopus", "rate": 48_000, "seconds": 2}
_MPEG = {"codec": "mpeg1video", "sound": "mp2", "seconds": 2, "coding": {"b": "3000000"}}

_PAGE = b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head></html>\n"
_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 12345\n"
_PLAYLIST = (
    b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
)
_FINDER = b"\0\5\x16\7\0\2\0\0Mac OS X        " + bytes(4000)


def _bytes(content: bytes) -> Make:
    return lambda path: path.write_bytes(content) and None


def _link(target: str) -> Make:
    return lambda path: path.symlink_to(target)


def _folder(path: Path) -> None:
    path.mkdir()


def _forbidden(path: Path) -> None:
    _SHORT(path)
    path.chmod(0)


def _named(name: str | bytes, speaker: str = "") -> Case:
    """A good film with a name."""
    return Case(os.fsdecode(name), _SHORT, frames=10, psnr=20, speaker=speaker)


FILES = [
    # No films.
    failed("empty.mp4", _bytes(b""), "is empty"),
    failed("text.mp4", _bytes(b"this is no film\n" * 100), _NO_MEDIA),
    failed("error page.mp4", _bytes(_PAGE), "a web page"),
    failed("pointer of git-lfs.mp4", _bytes(_POINTER), "run git lfs pull"),
    failed("playlist.mp4", _bytes(_PLAYLIST), _NO_MEDIA),
    failed("random.mp4", _bytes(np.random.default_rng(0).bytes(50_000)), _NO_MEDIA),
    failed("zeros.mp4", _bytes(bytes(50_000)), _NO_MEDIA),
    failed("._plain.mp4", _bytes(_FINDER), _NO_MEDIA),
    skipped("photograph.mp4", _bytes(jpeg()), "a still picture", "decode"),
    # Damaged films.
    failed("cut in its header.mp4", cut(film(**_LONG, **_FRONT), 0.02), "no frame in it"),
    failed("cut, index at the end.mp4", cut(film(**_LONG), 0.9), _NO_MEDIA),
    Case("cut, index at the front.mp4", cut(film(**_LONG, **_FRONT), 0.6), frames=range(20, 40)),
    Case("cut.mkv", cut(film(**_LONG), 0.6), frames=range(20, 40)),
    Case("cut.webm", cut(film(**_WEBM), 0.6), frames=range(20, 40)),
    Case("cut.mpg", cut(film(**_MPEG), 0.6), frames=range(20, 45), sound=None),
    Case("cut.flv", cut(film(**_LONG), 0.6), frames=range(20, 40)),
    Case("hole.mp4", zeroed(film(**_LONG), 0.4, 0.5), frames=50, psnr=20, sound=None),
    Case("hole.mkv", zeroed(film(**_LONG), 0.4, 0.5), frames=50, psnr=20, sound=None),
    Case("rotten.mp4", flipped(film(**_LONG), 0.3, 0.7, 2000), frames=50, psnr=15, sound=None),
    Case("rotten.flv", flipped(film(**_LONG), 0.3, 0.7, 2000), frames=50, psnr=15, sound=None),
    failed("beginning lost.mp4", zeroed(film(**_LONG), 0, 0.05), _NO_MEDIA),
    Case("beginning lost.mpg", zeroed(film(**_MPEG), 0, 0.05), frames=38, first=0.48),
    Case("something behind its end.mp4", followed(film(), b"junk" * 500)),
    # Names.
    _named("two words.mp4"),
    _named("two_words.mp4"),
    _named("in/folder.mp4", "in"),
    _named("in_folder.mp4"),
    _named("Case.mp4"),
    _named("case.mp4"),
    _named("same.mp4"),
    _named("same.mkv"),
    _named("UPPER.MP4"),
    _named("'single' \"double\" `back`.mp4"),
    _named("line\nbreak.mp4"),
    _named("tab\tand bell\a.mp4"),
    _named("-leading dash.mp4"),
    _named("--help.mp4"),
    _named(".leading dot.mp4"),
    _named("many.dots..in.it.mp4"),
    _named("trailing space .mp4"),
    _named("*?[a-z]{x}.mp4"),
    _named("[bold]markup[red] :smile:.mp4"),
    _named("100% %d $HOME $(ls) ; & | \\ #.mp4"),
    _named("http:::colons, commas.mp4"),
    _named("a shot--1.mp4"),
    _named("caf\u00e9 in one.mp4"),
    _named("cafe\u0301 in two.mp4"),
    _named("说话的人.mp4"),
    _named("говорящая голова.mp4"),
    _named("رأس يتكلم.mp4"),
    _named("😀👩‍🚀.mp4"),
    _named("x" * 230 + ".mp4"),
    _named("界" * 80 + ".mp4"),
    _named(b"latin \xe9.mp4"),
    _named(b"latin \xe8.mp4"),
    _named("a speaker's folder/with spaces/clip.mp4", "a speaker's folder"),
    _named("folder like a film.mp4/clip.mp4", "folder like a film.mp4"),
    failed("escape \x1b[2J\n.mp4", _bytes(b"x"), _NO_MEDIA),
    failed(os.fsdecode(b"no film \xff.mp4"), _bytes(b"x"), _NO_MEDIA),
    # The same film twice; no film by its name.
    _named("once.mp4"),
    _named("twice.mp4"),
    Case("notes.txt", _bytes(b"x"), status=""),
    Case("no suffix", film(muxer="mp4")),
    # What a folder can hold besides.
    Case("empty folder.mp4", _folder, status=""),
    Case("link to it.mp4", _link("plain.mp4"), frames=50),
    Case("link back", _link("."), status=""),
    failed("link to nothing.mp4", _link("nowhere.mp4"), "absent"),
    failed("link to itself.mp4", _link("link to itself.mp4"), "leads back to itself"),
    failed("link to a device.mp4", _link("/dev/zero"), "a pipe or a device"),
    failed("pipe.mp4", os.mkfifo, "a pipe or a device"),
    failed(FORBIDDEN, _forbidden, "Permission denied"),
]
