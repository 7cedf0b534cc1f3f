"""Which uploads are accepted, and the video that is made of two."""

import threading
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from model.app.uploads import UploadedVideoMaker, copy_upload
from model.sampling.batch import load
from model.sampling.sample_config import ModelOptions, SampleConfig
from pipeline.errors import UserError
from pipeline.media import read_audio, read_frames, read_image, write_image


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
def test_files_that_name_other_files_are_refused(tmp_path: Path, content: bytes):
    (tmp_path / "a.mp4").write_bytes(content)
    upload = {"path": str(tmp_path / "a.mp4"), "orig_name": "a.mp4"}
    with pytest.raises(UserError, match=r"a\.mp4: this file is not accepted"):
        copy_upload(upload, "a face", tmp_path / "copy")


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
def test_sound_of_every_kind_is_accepted(tmp_path: Path, suffix: str, codec: str):
    path = tmp_path / f"sound{suffix}"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 4800), np.int16), "s16", "mono")
        frame.sample_rate = 48_000
        container.mux([*stream.encode(frame), *stream.encode(None)])
    # The content decides, not the name.
    named_otherwise = path.rename(tmp_path / "sound.txt")
    copy = copy_upload({"path": str(named_otherwise)}, "a recording", tmp_path / "copy")
    assert copy.suffix in {suffix, ".mp4", ".mkv"}
    assert read_audio(copy).seconds == pytest.approx(0.1, abs=0.1)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp"])
def test_pictures_are_accepted(tmp_path: Path, suffix: str):
    rng = np.random.default_rng(0)
    picture = rng.integers(0, 255, (48, 64, 3), np.uint8)
    write_image(tmp_path / f"a{suffix}", picture)
    named_otherwise = (tmp_path / f"a{suffix}").rename(tmp_path / "a.mp4")
    copy = copy_upload({"path": str(named_otherwise)}, "a face", tmp_path / "copy")
    assert copy.suffix == suffix
    assert read_image(copy).shape == (48, 64, 3)


@pytest.fixture(scope="module")
def maker(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> UploadedVideoMaker:
    folder = tmp_path_factory.mktemp("served") / "files"
    folder.mkdir()
    loaded = load(ModelOptions(checkpoint, device="cpu"), SampleConfig("ddim", 2))
    return UploadedVideoMaker(loaded, folder, 2)


def make(maker: UploadedVideoMaker, face: Path, recording: Path, **changed: Any) -> Path:
    words = {"seed": 0, "paste_back": False, "report": lambda *_: None, **changed}
    uploads = ({"path": str(path), "orig_name": path.name} for path in (face, recording))
    return maker.make(*uploads, **words)


@pytest.mark.slow
def test_a_video_is_made_of_two_uploads(maker: UploadedVideoMaker, given: Path):
    reports: list[tuple[int, int, float]] = []
    face, speech = given / "face.jpg", given / "short.wav"
    video = make(maker, face, speech, seed=3, report=lambda *given: reports.append(given))
    assert [frame.shape for frame in read_frames(video)] == [(32, 32, 3)] * 10
    assert b"SYNTHETIC MEDIA" in video.read_bytes()
    assert [total for _, total, _ in reports] == [10] * len(reports)
    assert (reports[0][0], reports[-1][0]) == (0, 10)
    whole = make(maker, given / "film.mp4", given / "film.mp4", paste_back=True)
    assert next(read_frames(whole)).shape == (260, 280, 3)
    # Nothing but the finished videos stays.
    assert len(list(maker.folder.parent.iterdir())) == 1


@pytest.mark.parametrize(
    ("face", "speech", "named"),
    [
        ("wall.png", "short.wav", "no face found in the face's file"),
        ("short.wav", "short.wav", "holds no video stream"),
        ("face.jpg", "face.jpg", "holds no sound"),
        ("face.jpg", "long.wav", "longer than 2 seconds"),
        ("face.jpg", "junk.wav", "junk.wav"),
        ("face.jpg", "absent.wav", "absent.wav"),
    ],
)
def test_uploads_that_cannot_be_used_are_named(maker, given: Path, face, speech, named):
    with pytest.raises(UserError, match=named) as told:
        make(maker, given / face, given / speech)
    assert "/" not in str(told.value)  # no path of the server's


@pytest.mark.parametrize("seed", [-1, 2**31, float("inf"), float("nan"), None, "7"])
def test_a_seed_out_of_range_is_refused(maker, given: Path, seed: Any):
    with pytest.raises(UserError, match="seed"):
        make(maker, given / "face.jpg", given / "short.wav", seed=seed)


@pytest.mark.slow
def test_one_video_is_made_at_a_time(maker: UploadedVideoMaker, given: Path):
    order: list[int] = []

    def run(number: int) -> None:
        report = lambda *_: order.append(number)  # noqa: E731
        make(maker, given / "face.jpg", given / "short.wav", report=report)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert order in ([0] * 11 + [1] * 11, [1] * 11 + [0] * 11)


def test_stopping_ends_the_video_at_its_next_frame(checkpoint: Path, given: Path, tmp_path: Path):
    (tmp_path / "files").mkdir()
    loaded = load(ModelOptions(checkpoint, device="cpu"), SampleConfig("ddim", 2))
    stopped = UploadedVideoMaker(loaded, tmp_path / "files", 120)
    frames: list[int] = []

    def report(made: int, *_) -> None:
        frames.append(made)
        if made == 3:
            stopped.stopping.set()

    with pytest.raises(UserError, match="stopped"):
        make(stopped, given / "face.jpg", given / "short.wav", report=report)
    assert frames[-1] == 3
    assert [path.name for path in tmp_path.iterdir()] == ["files"]
    assert not list((tmp_path / "files").iterdir())
