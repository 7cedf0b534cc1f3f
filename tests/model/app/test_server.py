"""The requests that dh-sample serve takes, and those that it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import av
import numpy as np
import pytest

from pipeline.media import read_frames
from tests.model.app.asking import LIMITS, ask, make, upload

if TYPE_CHECKING:
    from pathlib import Path

    from model.app.server import PageServer


def test_a_video_is_made_of_what_was_sent(server: PageServer, given: Path, tmp_path: Path):
    number, job = make(server, given / "face.jpg", given / "short.wav", seed=3)
    assert (job["done"], job["error"], job["frames"], job["total"]) == (True, "", 10, 10)
    status, video = ask(server, "GET", f"/jobs/{number}/video")
    assert status == 200
    (tmp_path / "a.mp4").write_bytes(video)
    assert [frame.shape for frame in read_frames(tmp_path / "a.mp4")] == [(32, 32, 3)] * 10
    assert b"SYNTHETIC MEDIA" in video
    number, _ = make(server, given / "face.jpg", given / "short.wav", paste_back=True)
    (tmp_path / "b.mp4").write_bytes(ask(server, "GET", f"/jobs/{number}/video")[1])
    assert next(read_frames(tmp_path / "b.mp4")).shape == (260, 280, 3)


@pytest.mark.parametrize(
    ("face", "speech", "said"),
    [
        ("wall.png", "short.wav", "no face found in the face's file"),
        ("short.wav", "short.wav", "holds no video stream"),
        ("face.jpg", "face.jpg", "holds no sound"),
        ("face.jpg", "long.wav", "the recording is longer than 2 seconds"),
    ],
)
def test_what_goes_wrong_is_told(server, given: Path, face: str, speech: str, said: str):
    number, job = make(server, given / face, given / speech)
    assert said in job["error"]
    assert "/" not in job["error"]  # no path of the server's
    assert ask(server, "GET", f"/jobs/{number}/video")[0] == 409


@pytest.mark.parametrize(
    "content",
    [
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"v=0\r\nm=audio 1 RTP/AVP 0\r\n",
        b"<svg xmlns='http://www.w3.org/2000/svg'><image href='/etc/passwd'/></svg>",
        b"plain words",
        b"",
        # What begins like sound, and is a script to FFmpeg.
        b"ID3\3\0\0\0\0\0\0v=0\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n",
        b"ID3\3\0\0\0\0\0\0ffconcat version 1.0\nfile /etc/passwd\n",
    ],
)
def test_files_that_name_other_files_are_not_taken(server: PageServer, content: bytes):
    status, told = ask(server, "POST", "/upload", content)
    assert status == 415
    assert "this file is not taken" in told["error"]


@pytest.mark.parametrize(
    ("suffix", "codec"),
    [
        (".wav", "pcm_s16le"),
        (".mp3", "mp3"),
        (".flac", "flac"),
        (".ogg", "libopus"),
        (".aac", "aac"),
        (".m4a", "aac"),
        (".mp4", "aac"),
        (".mov", "aac"),
        (".webm", "libopus"),
        (".mkv", "aac"),
        (".avi", "mp3"),
    ],
)
def test_sound_of_every_kind_is_taken(server: PageServer, tmp_path: Path, suffix: str, codec: str):
    path = tmp_path / f"sound{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), "s16", "mono")
        frame.sample_rate = 48_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    assert upload(server, path)


def test_a_file_too_large_is_refused_before_it_is_read(server: PageServer):
    claimed = {"Content-Length": str(10**11)}
    status, told = ask(server, "POST", "/upload", b"\x89PNG\r\n\x1a\n", claimed)
    assert status == 413
    assert "larger than 0 MB" in told["error"]
    for header in ({"Content-Length": "-1"}, {"Content-Length": "many"}):
        assert ask(server, "POST", "/upload", b"x", header)[0] in {400, 411}


def test_who_sends_too_large_a_file_to_its_end_hears_why(server: PageServer):
    status, told = ask(server, "POST", "/upload", b"\x89PNG\r\n\x1a\n" + bytes(30_000_000))
    assert status == 413
    assert "larger than" in told["error"]


@pytest.mark.parametrize(
    "path",
    [
        "/../etc/passwd",
        "/etc/passwd",
        "//etc/passwd",
        "/jobs/../../etc/passwd",
        "/jobs/%2e%2e%2fetc%2fpasswd/video",
        "/file=/etc/passwd",
        "/jobs/" + "0" * 32,
        "/jobs/" + "0" * 32 + "/video",
    ],
)
def test_no_path_of_a_request_is_opened(server: PageServer, path: str):
    assert ask(server, "GET", path)[0] == 404


@pytest.mark.parametrize(
    "wanted",
    [
        {"face": "/etc/passwd", "speech": "../../etc/passwd"},
        {"face": None},
        [],
        7,
        "face",
    ],
)
def test_jobs_of_nothing_that_was_sent(server: PageServer, wanted: Any):
    status, told = ask(server, "POST", "/jobs", json.dumps(wanted).encode())
    assert status == 400
    assert "send a face and a recording first" in told["error"]
    for no_json in (b"{no json", b"[" * 4000):
        assert ask(server, "POST", "/jobs", no_json)[0] == 400


def test_a_seed_beyond_all_numbers_is_refused(server: PageServer, given: Path):
    number = upload(server, given / "short.wav")
    wanted = f'{{"face": "{number}", "speech": "{number}", "seed": 1e999}}'
    assert ask(server, "POST", "/jobs", wanted.encode())[0] == 400


def test_other_sites_are_refused(server: PageServer):
    port = server.server_address[1]
    for headers in (
        {"Host": f"evil.example:{port}"},
        {"Host": f"127.0.0.1.evil.example:{port}"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ):
        assert ask(server, "GET", "/", headers=headers)[0] == 403
        assert ask(server, "POST", "/upload", b"\x89PNG\r\n\x1a\n", headers=headers)[0] == 403
    for host in ("localhost", "127.0.0.1", "[::1]"):
        headers = {"Host": f"{host}:{port}", "Origin": f"http://{host}:{port}"}
        assert ask(server, "GET", "/", headers=headers)[0] == 200


def test_the_page_fetches_nothing_from_elsewhere(server: PageServer):
    status, page = ask(server, "GET", "/")
    assert status == 200
    assert b"http://" not in page
    assert b"https://" not in page


def test_only_so_many_files_are_kept(server: PageServer, given: Path):
    first = upload(server, given / "wall.png")
    for _ in range(LIMITS.kept):
        upload(server, given / "wall.png")
    wanted = json.dumps({"face": first, "speech": first}).encode()
    assert ask(server, "POST", "/jobs", wanted)[0] == 400


def test_a_job_that_ends_while_it_is_asked_for_is_not_done_yet(server: PageServer, monkeypatch):
    """Else it would be told as done with a frame missing."""

    class Ending:
        done, error, number, since, total = False, "", 0, 0.0, 10

        @property
        def frames(self) -> int:
            self.done = True
            return 9

    monkeypatch.setitem(server.desk._jobs, "0" * 32, Ending())
    status, told = ask(server, "GET", "/jobs/" + "0" * 32)
    assert status == 200
    assert (told["frames"], told["done"]) == (9, False)
