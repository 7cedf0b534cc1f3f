"""Which of several tracks is read; EXIF and tiles of pictures that FFmpeg opens."""

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from av.stream import Disposition
from PIL import Image

from pipeline.media import MediaError, probe, read_audio, read_frames
from pipeline.media.image import read_image
from tests.faults.inputs.films import write_film

# --- several tracks -------------------------------------------------------------------------------

_LOUD, _SOFT = 8000, 1000


def _with_tracks(path: Path, tracks: list[tuple[int, Disposition]]) -> Path:
    """A film with steady sounds of these levels, each marked so."""
    with av.open(str(path), "w") as container:
        video: Any = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 64, 48, "yuv420p"
        sounds: list[Any] = []
        for _, disposition in tracks:
            sounds.append(container.add_stream("flac", rate=16_000, layout="mono"))
            sounds[-1].disposition = disposition
        for k in range(25):
            frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            frame.pts, frame.time_base = k, Fraction(1, 25)
            container.mux(video.encode(frame))
        for stream, (level, _) in zip(sounds, tracks, strict=True):
            samples = np.full((1, 16_000), level, np.int16)
            sound = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            sound.sample_rate, sound.pts = 16_000, 0
            container.mux([*stream.encode(sound), *stream.encode(None)])
        container.mux(video.encode(None))
    return path


@pytest.mark.parametrize(
    ("tracks", "chosen"),
    [
        ([(_SOFT, Disposition(0)), (_LOUD, Disposition.default)], _LOUD),
        ([(_LOUD, Disposition.default), (_SOFT, Disposition(0))], _LOUD),
        ([(_LOUD, Disposition(0)), (_SOFT, Disposition(0))], _LOUD),
        ([(_SOFT, Disposition.visual_impaired), (_LOUD, Disposition(0))], _LOUD),
        (
            [
                (_SOFT, Disposition.default | Disposition.hearing_impaired),
                (_LOUD, Disposition(0)),
            ],
            _LOUD,
        ),
        ([(_SOFT, Disposition.visual_impaired)], _SOFT),
    ],
    ids=["second", "first", "no default", "described", "described by default", "nothing else"],
)
def test_the_track_is_chosen_as_ffmpeg_does(
    tracks: list[tuple[int, Disposition]], chosen: int, tmp_path: Path
):
    film = _with_tracks(tmp_path / "a.mkv", tracks)
    assert np.median(read_audio(film).samples) == chosen
    assert probe(film).notes == (("audio-track-chosen",) if len(tracks) > 1 else ())


def test_the_larger_of_two_videos_is_chosen(tmp_path: Path):
    def preview(container: Any) -> None:
        small = container.add_stream("mpeg4", rate=25)
        small.width, small.height, small.pix_fmt = 32, 16, "yuv420p"
        small.disposition = Disposition(0)
        frame = av.VideoFrame.from_ndarray(np.zeros((16, 32, 3), np.uint8), format="rgb24")
        container.start_encoding()
        container.mux([*small.encode(frame), *small.encode(None)])

    film = tmp_path / "a.mkv"
    write_film(film, extra=preview)
    assert next(read_frames(film)).shape != (16, 32, 3)
    assert "video-track-chosen" in probe(film).notes


@pytest.mark.parametrize("name", ["two_audio_second_default", "audio_description_first"])
def test_real_films_with_two_tracks_have_their_own_sound(name: str, shared_cases: Path):
    samples = read_audio(shared_cases / "streams" / f"{name}.mkv").samples.astype(float)
    assert np.sqrt((samples**2).mean()) > 1000


# --- pictures in FFmpeg's hands -------------------------------------------------------------------


@pytest.mark.parametrize(
    "exif", [b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0", None], ids=["broken", "empty", "turned"]
)
def test_exif_in_the_frames_of_a_camera_never_raises(exif: bytes | None, tmp_path: Path):
    picture = Image.new("RGB", (64, 32), (200, 30, 30))
    tags = Image.Exif()
    tags[0x0112] = 6  # a quarter turn clockwise
    data = io.BytesIO()
    picture.save(data, "JPEG", exif=tags.tobytes() if exif is None else exif)
    (tmp_path / "a.mjpeg").write_bytes(3 * data.getvalue())
    frames = list(read_frames(tmp_path / "a.mjpeg"))
    assert frames[0].shape == ((64, 32, 3) if exif is None else (32, 64, 3))
    info = probe(tmp_path / "a.mjpeg")
    assert (info.height, info.width, 3) == frames[0].shape


def test_real_exif_is_read_upright(shared_cases: Path):
    for name in ("camera_mjpeg_exif.mov", "exif.heic", "exif6.jfif"):
        frame = next(iter(read_frames(shared_cases / "exif" / name))).astype(float)
        # The same portrait in each: dark clothes below, a bright wall above.
        assert frame[-20:].mean() < frame.mean(), name


def test_tiles_of_a_picture_are_not_taken_for_it(shared_cases: Path):
    for read in (probe, read_image):
        with pytest.raises(MediaError, match=r"iphone_grid\.heic .*convert it to PNG or JPEG"):
            read(shared_cases / "picture" / "iphone_grid.heic")
