"""Videos written and read back."""

import os
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.media import (
    Audio,
    MediaError,
    encode,
    read_audio,
    read_frames,
    write_image,
    write_video,
)
from tests.pipeline.media.numbered import lag_of, numbered, numbers_in, white_noise


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_a_written_video_reads_back_in_step_with_its_sound(tmp_path: Path, suffix: str, rate: int):
    sound = white_noise(3, rate)  # a second longer than the picture
    path = tmp_path / f"a{suffix}"
    tags = {"comment": "synthetic"}
    frames = (numbered(index) for index in range(50))
    assert write_video(path, frames, audio=Audio(sound, rate), metadata=tags) == 50
    assert numbers_in(path) == list(range(50))
    got = read_audio(path, rate=None)
    assert got.rate == rate
    assert abs(got.seconds - 2) < 0.05
    assert lag_of(got.samples[: 2 * rate], sound[: 2 * rate]) == 0
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


def test_without_loss_pixels_and_sound_read_back_as_they_are(tmp_path: Path):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (98, 130, 3)).astype(np.uint8) for _ in range(10)]
    sound = white_noise(0.4)
    for name in ("a.mkv", "b.mkv"):
        write_video(
            tmp_path / name, frames, audio=Audio(sound), lossless=True, metadata={"comment": "made"}
        )
    assert np.array_equal(list(read_frames(tmp_path / "a.mkv")), frames)
    assert np.array_equal(read_audio(tmp_path / "a.mkv").samples, sound)
    assert (tmp_path / "a.mkv").read_bytes() == (tmp_path / "b.mkv").read_bytes()
    with av.open(str(tmp_path / "a.mkv")) as container:
        assert {k.lower(): v for k, v in container.metadata.items()}["comment"] == "made"
    with pytest.raises(MediaError, match=r"a\.mp4 without loss: .*\.mkv"):
        write_video(tmp_path / "a.mp4", frames, lossless=True)


def test_stereo_is_kept(tmp_path: Path):
    seconds = np.arange(32_000) / 16_000
    tone = (8000 * np.sin(2 * np.pi * 500 * seconds)).astype(np.int16)
    stereo = np.stack([tone, np.zeros_like(tone)], 1)
    write_video(tmp_path / "a.mp4", [numbered(0)] * 50, audio=Audio(stereo))
    got = read_audio(tmp_path / "a.mp4", mono=False).samples
    assert got.ndim == 2
    assert np.abs(got[4000:28_000, 0]).max() > 7000
    assert np.abs(got[4000:28_000, 1]).max() < 300


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path):
    with pytest.raises(MediaError, match=r"\.mp4"):
        write_video(tmp_path / "a.avi", [numbered(0)])
    with pytest.raises(MediaError, match="not one frame"):
        write_video(tmp_path / "a.mp4", [])
    for name in ("a.xyz", "a"):
        with pytest.raises(MediaError, match=r"\.png"):
            write_image(tmp_path / name, numbered(0))
    assert list(tmp_path.iterdir()) == []


def noisy(size: int) -> list[np.ndarray]:
    """Twenty frames of waves and noise."""
    rng = np.random.default_rng(0)
    rows = np.arange(size)[:, None, None] / 5
    waves = (
        127 + 60 * np.sin(rows + k / 4) + rng.normal(0, 20, (size, size, 3)) for k in range(20)
    )
    return [frame.clip(0, 255).astype(np.uint8) for frame in waves]


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".webm"])
@pytest.mark.parametrize("size", [48, 64, 96, 224])
def test_the_same_frames_make_the_same_bytes(tmp_path: Path, size: int, suffix: str):
    rng, frames, sound = np.random.default_rng(0), noisy(size), Audio(white_noise(1, 16_000))
    made = set()
    for _ in range(6):
        # What lay in the memory before must not matter.
        rubbish = [rng.bytes(int(rng.integers(1_000, 3_000_000))) for _ in range(3)]
        write_video(tmp_path / f"a{suffix}", frames, audio=sound)
        made.add((tmp_path / f"a{suffix}").read_bytes())
        del rubbish
    assert len(made) == 1


@pytest.mark.slow
@pytest.mark.skipif(
    not hasattr(os, "sched_setaffinity") or os.cpu_count() == 1, reason="needs several processors"
)
@pytest.mark.parametrize("size", [128, 640])
def test_h264_is_the_same_on_any_number_of_processors(tmp_path: Path, size: int):
    frames, processors = noisy(size)[:8], os.sched_getaffinity(0)
    write_video(tmp_path / "many.mp4", frames)
    os.sched_setaffinity(0, {min(processors)})
    try:
        write_video(tmp_path / "one.mp4", frames)
    finally:
        os.sched_setaffinity(0, processors)
    assert (tmp_path / "one.mp4").read_bytes() == (tmp_path / "many.mp4").read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("size", [128, 640])
def test_vp9_is_the_same_on_any_number_of_threads(tmp_path: Path, size: int, monkeypatch):
    frames, made = noisy(size)[:8], set()
    for threads in ("1", "2", "8"):
        monkeypatch.setitem(encode._FORMATS[".webm"].options, "threads", threads)
        write_video(tmp_path / "a.webm", frames)
        made.add((tmp_path / "a.webm").read_bytes())
    assert len(made) == 1
