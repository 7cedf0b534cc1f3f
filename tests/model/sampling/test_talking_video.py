"""A face and a recording to a video: aligned as in training, with the recording's own sound."""

import wave
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from skimage import data

from model.config.architecture import DiffusionConfig
from model.config.presets import Preset
from model.network.talking_head import TalkingHead
from model.sampling.autoregressive import make_denoiser
from model.sampling.denoiser import Denoiser
from model.sampling.inputs import read_face, read_inputs, read_speech
from model.sampling.jobs import Job
from model.sampling.sample_config import SampleConfig, sampling_schedule
from model.sampling.talking_video import SYNTHETIC, make_videos
from pipeline.errors import UserError
from pipeline.faces.alignment import STABLE_POINTS, TEMPLATE
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.media import probe, read_audio, read_frames, write_image, write_video
from pipeline.speech.mfcc import mfcc_windows

EMPTY = np.full((240, 260, 3), 90, np.uint8)
CREMA = "crema_1001_DFA_ANG_XX.mkv"


@pytest.fixture(scope="module")
def photograph() -> np.ndarray:
    """A public-domain photograph of one person."""
    return np.ascontiguousarray(data.astronaut()[:260, 80:360])


@pytest.fixture
def picture(photograph: np.ndarray, tmp_path: Path) -> Path:
    write_image(tmp_path / "face.png", photograph)
    return tmp_path / "face.png"


@pytest.fixture
def model(small: Preset, speech_format) -> TalkingHead:
    torch.manual_seed(2)
    return TalkingHead(small, speech_format).eval()


def off_template(crop: np.ndarray, tracker: MediaPipeTracker) -> float:
    """Largest distance of eye corners and nose base from the template, as a share of the side."""
    points = tracker.track([crop]).points[0, list(STABLE_POINTS)] / len(crop)
    return float(np.linalg.norm(points - TEMPLATE, axis=1).max())


def write_wav(path: Path, samples: np.ndarray, rate: int) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1 if samples.ndim == 1 else samples.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def chirp(seconds: float, rate: int) -> np.ndarray:
    """A tone from 200 to 1500 Hz: it correlates with itself at one shift only."""
    t = np.arange(round(seconds * rate)) / rate
    return np.round(8000 * np.sin(2 * np.pi * (200 * t + 650 * t**2 / seconds))).astype(np.int16)


# --- faces ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [128, 64])
def test_a_picture_is_aligned_to_the_template(picture: Path, tracker, size: int):
    crop = read_face(picture, tracker, size).crop
    assert crop.shape == (size, size, 3)
    assert crop.dtype == np.uint8
    assert off_template(crop, tracker) < 0.03


def test_a_turned_and_larger_picture_gives_the_same_crop(
    photograph: np.ndarray, picture: Path, tracker, tmp_path: Path
):
    turn = cv2.getRotationMatrix2D((140, 110), 17, 1.6)
    turn[:, 2] += 90, 80
    turned = cv2.warpAffine(photograph, turn, (460, 420), flags=cv2.INTER_CUBIC)
    write_image(tmp_path / "turned.png", turned)
    crop = read_face(tmp_path / "turned.png", tracker, 128).crop
    assert off_template(crop, tracker) < 0.03
    difference = np.abs(crop.astype(int) - read_face(picture, tracker, 128).crop)[20:110, 20:110]
    assert difference.mean() < 12


def test_a_video_gives_a_crop_as_the_training_clips_are(shared_data: Path, tracker):
    crop = read_face(shared_data / "clips" / CREMA, tracker, 128).crop
    assert off_template(crop, tracker) < 0.03
    # The released CREMA clips are aligned already: the crop is nearly the frame.
    first = next(read_frames(shared_data / "clips" / CREMA))
    first = cv2.resize(first, (128, 128), interpolation=cv2.INTER_AREA)
    assert np.abs(crop.astype(int) - first)[10:-10, 10:-10].mean() < 12


@pytest.mark.slow
def test_the_first_frame_with_a_face_is_taken(photograph: np.ndarray, tmp_path: Path, tracker):
    empty = np.full_like(photograph, 90)
    write_video(tmp_path / "late.mp4", [*[empty] * 4, *[photograph] * 3])
    crop = read_face(tmp_path / "late.mp4", tracker, 128).crop
    assert off_template(crop, tracker) < 0.03
    write_video(tmp_path / "too_late.mp4", [*[empty] * 25, *[photograph] * 3])
    with pytest.raises(UserError, match="the first second of the video must show one face"):
        read_face(tmp_path / "too_late.mp4", tracker, 128)


def test_a_picture_without_a_face(tmp_path: Path, tracker):
    write_image(tmp_path / "wall.png", EMPTY)
    with pytest.raises(UserError, match=r"no face found in .*wall\.png; the picture must show one"):
        read_face(tmp_path / "wall.png", tracker, 128)


@pytest.mark.parametrize("name", ["face.png", "face.mp4", "face"])
def test_a_face_that_is_no_picture(tmp_path: Path, tracker, name: str):
    with pytest.raises(UserError, match="no such file"):
        read_face(tmp_path / name, tracker, 128)
    (tmp_path / name).write_text("not a picture")
    with pytest.raises(UserError, match="cannot read"):
        read_face(tmp_path / name, tracker, 128)


def test_a_recording_is_no_face(tmp_path: Path, tracker):
    with pytest.raises(UserError, match="holds no video stream"):
        read_face(write_wav(tmp_path / "a.wav", chirp(0.2, 16000), 16000), tracker, 128)


# --- recordings -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("samples", "frames"), [(16_000, 25), (16_001, 26), (640, 1), (1, 1), (15_999, 25), (641, 2)]
)
def test_the_video_covers_the_recording(tmp_path: Path, samples: int, frames: int):
    sound = chirp(samples / 16000, 16000)
    features, audio = read_speech(write_wav(tmp_path / "a.wav", sound, 16000))
    assert len(features) == frames
    assert np.array_equal(audio.samples, sound)
    np.testing.assert_allclose(features, mfcc_windows(sound, frames))


def test_the_sound_keeps_its_rate_and_channels(tmp_path: Path):
    left, right = chirp(0.5, 44_100), chirp(0.5, 44_100)[::-1]
    path = write_wav(tmp_path / "a.wav", np.stack([left, right], 1), 44_100)
    features, audio = read_speech(path)
    assert (len(features), audio.rate, audio.samples.shape) == (13, 44_100, (22_050, 2))
    assert np.array_equal(audio.samples[:, 0], left)
    # What the network sound is the mix, at 16 kHz.
    np.testing.assert_allclose(features, mfcc_windows(read_audio(path).samples, 13))


@pytest.mark.parametrize("rate", [6_000, 37_800, 192_000])
def test_a_rate_that_aac_does_not_have(tmp_path: Path, rate: int):
    features, audio = read_speech(write_wav(tmp_path / "a.wav", chirp(0.4, rate), rate))
    assert (len(features), audio.rate) == (10, 48_000)
    write_video(tmp_path / "a.mp4", [EMPTY] * 10, audio=audio)
    assert read_audio(tmp_path / "a.mp4").seconds == pytest.approx(0.4, abs=0.05)


def test_recordings_that_are_none(tmp_path: Path):
    with pytest.raises(UserError, match="no such file"):
        read_speech(tmp_path / "none.wav")
    write_video(tmp_path / "silent.mp4", [EMPTY] * 3)
    with pytest.raises(UserError, match="holds no sound stream"):
        read_speech(tmp_path / "silent.mp4")
    with pytest.raises(UserError, match=r"nothing in it|is empty"):
        read_speech(write_wav(tmp_path / "empty.wav", np.empty(0, np.int16), 16000))


def test_the_sound_of_a_real_video(shared_data: Path):
    features, audio = read_speech(shared_data / "clips" / CREMA)
    assert features.shape == (np.ceil(25 * audio.seconds), 234)
    assert audio.rate == probe(shared_data / "clips" / CREMA).audio_rate
    assert abs(len(features) - 52) <= 1  # the clip has 52 frames


# --- videos ---------------------------------------------------------------------------------------


@pytest.mark.slow
def test_videos_with_their_own_sound_marked_as_synthetic(
    small: Preset, model: TalkingHead, picture: Path, shared_data: Path, tmp_path: Path, tracker
):
    sounds = {"low": chirp(0.47, 22_050), "high": chirp(0.79, 22_050)[::-1]}
    for name, sound in sounds.items():
        write_wav(tmp_path / f"{name}.wav", sound, 22_050)
    jobs = [
        Job(picture, tmp_path / "low.wav", tmp_path / "out" / "low.mp4"),
        Job(shared_data / "clips" / CREMA, tmp_path / "high.wav", tmp_path / "out" / "high.mp4"),
    ]
    drawn: list[None] = []
    ready = [read_inputs(job, tracker, small) for job in jobs]
    config = SampleConfig("ddim", 1)
    denoiser = make_denoiser(model, small, config)
    make_videos(denoiser, small, ready, config, on_frame=lambda: drawn.append(None))
    assert len(drawn) == 12 + 20
    for job, frames in zip(jobs, (12, 20), strict=True):
        written = list(read_frames(job.out))
        assert len(written) == frames
        assert written[0].shape == (32, 32, 3)
        with av.open(str(job.out)) as container:
            video, sound = container.streams.video[0], container.streams.audio[0]
            assert (video.codec_context.name, sound.codec_context.name) == ("h264", "aac")
            assert (float(video.average_rate), sound.rate) == (25, 22_050)
            assert SYNTHETIC.items() <= container.metadata.items()
        own = sounds[job.out.stem].astype(float)
        audio = read_audio(job.out, rate=None).samples.astype(float)
        both = np.correlate(audio, own, "full")
        assert abs(int(both.argmax()) - (len(own) - 1)) <= 22  # a millisecond
        shared = min(len(own), len(audio))
        assert np.corrcoef(own[:shared], audio[:shared])[0, 1] > 0.95


def test_the_face_reaches_the_network_as_training_frames_did(
    small: Preset, model: TalkingHead, picture: Path, tmp_path: Path, tracker
):
    seen = []

    class Noting(Denoiser):
        def encode_identity(self, identity: torch.Tensor) -> torch.Tensor:
            seen.append(identity)
            return super().encode_identity(identity)

        def encode_speech(self, features: torch.Tensor) -> torch.Tensor:
            seen.append(features)
            return super().encode_speech(features)

    write_wav(tmp_path / "a.wav", chirp(0.08, 16000), 16000)
    job = Job(picture, tmp_path / "a.wav", tmp_path / "a.mp4")
    config = SampleConfig("ddim", 1)
    denoiser = Noting(model, sampling_schedule(DiffusionConfig(), config))
    make_videos(denoiser, small, [read_inputs(job, tracker, small)], config)
    identity = ((seen[0][0] + 1) * 127.5).permute(1, 2, 0).numpy()
    crop = read_face(picture, tracker, 128).crop.reshape(32, 4, 32, 4, 3).astype(float).mean((1, 3))
    np.testing.assert_allclose(identity, crop, atol=0.6)
    features, _ = read_speech(tmp_path / "a.wav")
    assert np.array_equal(seen[1][0].numpy(), features[0])
    assert np.array_equal(seen[2][0].numpy(), features[1])
