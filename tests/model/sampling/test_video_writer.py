"""What becomes of drawn frames: formats, the face in its picture, the real clip beside it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage import data
from skimage.transform import AffineTransform, warp

from model.sampling.inputs import Face, VideoInputs, read_face
from model.sampling.jobs import Job
from model.sampling.sample_config import OutputOptions
from model.sampling.video_writer import make_paster, open_video_writer
from pipeline.errors import UserError
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import Audio, read_audio, read_frames, read_image, write_video

SIZE = 32


def face(picture: np.ndarray | None = None) -> Face:
    """A crop whose pixel (x, y) lies at (50 + 2 x, 30 + 2 y) of the picture."""
    picture = np.full((121, 161, 3), 100, np.uint8) if picture is None else picture
    return Face(
        np.zeros((SIZE, SIZE, 3), np.uint8), picture, np.array([[0.5, 0, -25], [0, 0.5, -15]])
    )


def ready(out: Path, length: int, given: Path | None = None) -> VideoInputs:
    sound = (8000 * np.sin(np.arange(length * 1764) / 20)).astype(np.int16)
    job = Job(given or out, out, out)
    return VideoInputs(job, face(), np.zeros((length, 234), np.float32), Audio(sound, 44_100))


def frame(k: int) -> np.ndarray:
    return np.full((SIZE, SIZE, 3), 40 + 8 * k, np.uint8)


def write(made: VideoInputs, output: OutputOptions, tracker=None) -> None:
    with open_video_writer(made, output, SIZE, {"comment": "SYNTHETIC"}, tracker) as add:
        for k in range(len(made.speech)):
            add(frame(k))


@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif"])
def test_files_of_every_format(tmp_path: Path, suffix: str):
    made = ready(tmp_path / f"a{suffix}", 14)
    write(made, OutputOptions())
    found = list(read_frames(made.job.out))
    assert len(found) == 14
    for k, image in enumerate(found):
        np.testing.assert_allclose(image, frame(k), atol=4)
    if suffix != ".gif":
        assert read_audio(made.job.out).seconds == pytest.approx(14 / 25, abs=0.05)
        audio = read_audio(made.job.out, rate=44_100).samples[:20_000].astype(float)
        spectrum = np.abs(np.fft.rfft(audio * np.hanning(len(audio))))
        expected = 44_100 / (2 * np.pi * 20)
        assert spectrum.argmax() * 44_100 / len(audio) == pytest.approx(expected, abs=3)


def test_a_folder_of_pictures(tmp_path: Path):
    made = ready(tmp_path / "a", 3)
    write(made, OutputOptions())
    assert sorted(path.name for path in tmp_path.rglob("*.png")) == [
        f"{k:06d}.png" for k in range(3)
    ]
    assert np.array_equal(read_image(made.job.out / "000002.png"), frame(2))


@pytest.mark.parametrize("name", ["a.mp4", "a"])
def test_nothing_is_left_of_what_fails(tmp_path: Path, name: str):
    made = ready(tmp_path / name, 3)

    def fail() -> None:
        with open_video_writer(made, OutputOptions(preview=True), SIZE, {}, None) as add:
            add(frame(0))
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_preview_shows_twelve_frames_from_first_to_last(tmp_path: Path):
    made = ready(tmp_path / "a.mp4", 23)
    write(made, OutputOptions(preview=True))
    strip = read_image(tmp_path / "a.preview.png")
    assert strip.shape == (SIZE, 12 * SIZE, 3)
    assert strip[0, ::SIZE, 0].tolist() == [40 + 8 * k for k in range(0, 23, 2)]


def test_a_pasted_frame_lies_where_its_face_was_found():
    rng = np.random.default_rng(0)
    drawn = cv2.GaussianBlur(rng.integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8), (0, 0), 3)
    pasted = make_paster(face())(drawn)
    assert pasted.shape == (120, 160, 3)  # even sides
    back = AffineTransform(scale=0.5, translation=(-25, -15))
    expected = 255 * warp(drawn, back, output_shape=(120, 160), order=1)
    inside = (slice(42, 80), slice(62, 100))  # a tenth of the side is a ramp
    np.testing.assert_allclose(pasted[inside], expected[inside], atol=3)
    outside = np.ones((120, 160), bool)
    outside[29:94, 49:114] = False
    assert (pasted[outside] == 100).all()


def test_a_crop_pasted_back_gives_the_picture(tracker: MediaPipeTracker):
    picture = np.ascontiguousarray(data.astronaut()[:260, 80:360])
    found = read_face(picture, tracker, 128)
    pasted = make_paster(found)(found.crop)
    assert np.abs(pasted.astype(int) - picture).mean() < 1.5


def test_the_real_clip_stands_beside_aligned(tmp_path: Path, tracker: MediaPipeTracker):
    picture = np.ascontiguousarray(data.astronaut()[:260, 80:360])
    write_video(tmp_path / "real.mp4", [picture] * 5)
    made = ready(tmp_path / "a.mp4", 7, tmp_path / "real.mp4")
    write(made, OutputOptions(compare=True), tracker)
    found = list(read_frames(made.job.out))
    assert len(found) == 7
    expected = read_face(picture, tracker, SIZE).crop.astype(float)
    for k, image in enumerate(found):
        assert image.shape == (SIZE, 2 * SIZE, 3)
        np.testing.assert_allclose(image[:, :28], frame(k)[:, :28], atol=8)
        real = image[:, SIZE:].astype(float)
        if k < 5:
            assert np.abs(real - expected).mean() < 6
        else:
            assert real[:, 4:].max() < 20  # it has ended


def test_a_picture_is_no_clip_to_compare_with(tmp_path: Path, tracker: MediaPipeTracker):
    made = ready(tmp_path / "a.mp4", 3, tmp_path / "face.png")
    with pytest.raises(UserError, match="--compare needs a video of the face"):
        write(made, OutputOptions(compare=True), tracker)
