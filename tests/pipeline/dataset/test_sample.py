"""The contract: written, read back, and every way of breaking it found."""

import io
import json
import wave
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio

from pipeline.dataset.sample import (
    MEMBERS,
    MIN_PSNR,
    SCHEMA_VERSION,
    Meta,
    PackedFrames,
    Sample,
    from_members,
    pack_faithfully,
    pack_frames,
    problems,
    to_members,
)

_LENGTH, _SIZE = 6, 32


def _pictures(length: int = _LENGTH, size: int = _SIZE, *, rough: float = 0.0) -> list[np.ndarray]:
    """Soft colour waves, with noise on top to make them hard to compress."""
    rng = np.random.default_rng(length)
    y, x = np.mgrid[:size, :size] / size * 6
    pictures = []
    for t in range(length):
        waves = np.stack([np.sin(x + t / 3), np.cos(y - t / 2), np.sin(x + y)], -1)
        noisy = 128 + 80 * waves + rng.normal(0, 255 * rough, waves.shape)
        pictures.append(np.clip(noisy, 0, 255).astype(np.uint8))
    return pictures


@pytest.fixture
def sample() -> Sample:
    """A whole sample that meets the contract."""
    rng = np.random.default_rng(0)
    packed, quality, psnr = pack_faithfully(_pictures)
    meta = Meta(
        schema_version=SCHEMA_VERSION,
        clip_id="a-clip",
        source="ß 😀/a clip.mp4",
        source_sha256="0" * 64,
        speaker="s1",
        split="train",
        frames=_LENGTH,
        image_size=_SIZE,
        speech_dim=234,
        source_fps=25.0,
        source_size=[320, 240],
        source_audio_rate=44_100,
        kept_seconds=[0.0, 0.24],
        landmark_backend="x",
        interpolated_frames=0,
        transforms=[[1.0, 0, 0, 0, 1.0, 0]] * _LENGTH,
        frame_psnr=psnr,
        jpeg_quality=quality,
        options={},
    )
    return Sample(
        key="a-clip",
        frames=packed,
        audio=rng.integers(-(2**15), 2**15, _LENGTH * 640).astype(np.int16),
        speech=rng.normal(0, 1, (_LENGTH, 234)).astype(np.float32),
        landmarks=rng.uniform(0, _SIZE, (_LENGTH, 68, 2)).astype(np.float32),
        mouth=np.tile(np.array([[8, 18, 24, 28]], np.int16), (_LENGTH, 1)),
        meta=meta,
    )


# --- pictures -------------------------------------------------------------------------------------


def test_any_picture_is_read_without_the_others():
    pictures = _pictures()
    data, offsets = pack_frames(pictures, 95)
    whole = PackedFrames(data, offsets)
    torn = bytearray(len(data))  # every other picture wiped out
    begin, end = offsets[3], offsets[4]
    torn[begin:end] = data[begin:end]
    alone = PackedFrames(bytes(torn), offsets)[3]
    assert np.array_equal(alone, whole[3])
    assert np.array_equal(alone, whole[-3])
    assert np.array_equal(whole.stack(), np.stack([whole[i] for i in range(_LENGTH)]))
    assert len(whole) == _LENGTH
    for outside in (_LENGTH, -_LENGTH - 1):
        with pytest.raises(IndexError):
            whole[outside]


def test_the_frames_member_is_jpeg_444_that_another_decoder_reads_alike():
    pictures = _pictures(rough=0.02)
    data, offsets = pack_frames(pictures, 95)
    for index, picture in enumerate(pictures):
        jpeg = Image.open(io.BytesIO(data[offsets[index] : offsets[index + 1]]))
        assert [layer[1:3] for layer in jpeg.layer] == [(1, 1)] * 3  # no chroma subsampling
        theirs = np.asarray(jpeg.convert("RGB")).astype(int)
        ours = PackedFrames(data, offsets)[index].astype(int)
        assert np.abs(theirs - ours).max() <= 3
        assert np.abs(theirs - picture).mean() < 4  # and red is red


@pytest.mark.parametrize("rough", [0.0, 0.03, 0.15])
def test_rough_pictures_are_packed_at_a_higher_quality_until_they_are_faithful(rough: float):
    pictures = _pictures(rough=rough)
    packed, quality, psnr = pack_faithfully(lambda: iter(pictures))
    measured = peak_signal_noise_ratio(np.stack(pictures), packed.stack(), data_range=255)
    assert psnr == pytest.approx(measured, abs=0.01)
    assert psnr >= MIN_PSNR
    lower = {97: 95, 99: 97, 100: 99}.get(quality)
    if lower is None:
        assert quality == 95
    else:  # the one below would not have done
        worse = PackedFrames(*pack_frames(pictures, lower)).stack()
        assert peak_signal_noise_ratio(np.stack(pictures), worse, data_range=255) < MIN_PSNR
    assert (quality > 95) == (rough > 0)


# --- members --------------------------------------------------------------------------------------


def test_a_sample_comes_back_as_it_was(sample: Sample):
    members = to_members(sample)
    assert tuple(members) == MEMBERS
    back = from_members("a-clip", members)
    assert back.meta == sample.meta
    for name in ("audio", "speech", "landmarks", "mouth"):
        ours, theirs = getattr(sample, name), getattr(back, name)
        assert np.array_equal(ours, theirs)
        assert ours.dtype == theirs.dtype
    assert np.array_equal(back.frames.stack(), sample.frames.stack())
    assert problems(back) == []
    assert to_members(back) == members


def test_members_are_what_their_suffix_says_to_any_reader(sample: Sample):
    members = to_members(sample)
    with wave.open(io.BytesIO(members["wav"])) as file:
        assert file.getparams()[:4] == (1, 2, 16_000, _LENGTH * 640)
        assert file.readframes(-1) == sample.audio.tobytes()
    assert np.array_equal(np.load(io.BytesIO(members["speech.npy"])), sample.speech)
    assert json.loads(members["json"])["source"] == "ß 😀/a clip.mp4"


@pytest.mark.parametrize("name", MEMBERS)
def test_a_member_that_is_absent_is_named(sample: Sample, name: str):
    members = to_members(sample)
    del members[name]
    with pytest.raises(ValueError, match=f"a-clip lacks {name}"):
        from_members("a-clip", members)


@pytest.mark.parametrize("name", [name for name in MEMBERS if name != "frames"])
@pytest.mark.parametrize("how", ["empty", "noise", "cut"])
def test_a_member_that_does_not_parse_is_named(sample: Sample, name: str, how: str):
    members = to_members(sample)
    members[name] = {"empty": b"", "noise": b"\xff\0 noise", "cut": members[name][:30]}[how]
    with pytest.raises(ValueError, match=f"a-clip: {name} does not parse"):
        from_members("a-clip", members)


def test_a_wav_of_another_rate_is_refused(sample: Sample):
    members = to_members(sample)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(sample.audio.tobytes())
    members["wav"] = buffer.getvalue()
    with pytest.raises(ValueError, match="16 kHz"):
        from_members("a-clip", members)


def test_pickled_arrays_are_refused(sample: Sample):
    members = to_members(sample)
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    members["speech.npy"] = buffer.getvalue()
    with pytest.raises(ValueError, match=r"speech\.npy"):
        from_members("a-clip", members)


# --- problems -------------------------------------------------------------------------------------


def _with(array: np.ndarray, index: Any, value: float) -> np.ndarray:
    changed = array.copy()
    changed[index] = value
    return changed


def _meta(sample: Sample, **changes: Any) -> Sample:
    return replace(sample, meta=sample.meta | changes)


def _pack(sample: Sample, pictures: list[np.ndarray]) -> Sample:
    return replace(sample, frames=PackedFrames(*pack_frames(pictures, 95)))


def _torn(sample: Sample) -> Sample:
    data, offsets = bytearray(sample.frames.data), sample.frames.offsets
    data[offsets[2] : offsets[3]] = bytes(offsets[3] - offsets[2])
    return replace(sample, frames=PackedFrames(bytes(data), offsets))


def _offsets(sample: Sample, index: int, value: int) -> Sample:
    changed = _with(sample.frames.offsets, index, value)
    return replace(sample, frames=PackedFrames(bytes(sample.frames.data), changed))


def _without_speaker(sample: Sample) -> Sample:
    meta = {name: value for name, value in sample.meta.items() if name != "speaker"}
    return replace(sample, meta=meta)


_BROKEN: dict[str, tuple[Callable[[Sample], Sample], str]] = {
    "sound too short": (lambda s: replace(s, audio=s.audio[:-1]), "wav"),
    "sound too long": (lambda s: replace(s, audio=np.append(s.audio, np.int16(0))), "wav"),
    "speech of fewer frames": (lambda s: replace(s, speech=s.speech[:-1]), "speech.npy"),
    "speech of another width": (lambda s: replace(s, speech=s.speech[:, 1:]), "speech.npy"),
    "speech in float64": (lambda s: replace(s, speech=s.speech.astype(float)), "speech.npy"),
    "speech not finite": (lambda s: replace(s, speech=_with(s.speech, (3, 7), np.inf)), "finite"),
    "landmarks of one point less": (
        lambda s: replace(s, landmarks=s.landmarks[:, 1:]),
        "landmarks.npy",
    ),
    "landmarks not finite": (
        lambda s: replace(s, landmarks=_with(s.landmarks, (0, 0, 0), np.nan)),
        "finite",
    ),
    "mouth boxes in int64": (lambda s: replace(s, mouth=s.mouth.astype(int)), "mouth.npy"),
    "mouth of no width": (lambda s: replace(s, mouth=_with(s.mouth, (1, 2), 8)), "mouth box"),
    "mouth of no height": (lambda s: replace(s, mouth=_with(s.mouth, (1, 3), 18)), "mouth box"),
    "mouth beyond the left": (lambda s: replace(s, mouth=_with(s.mouth, (1, 0), -1)), "mouth box"),
    "mouth beyond the top": (lambda s: replace(s, mouth=_with(s.mouth, (1, 1), -1)), "mouth box"),
    "mouth beyond the right": (
        lambda s: replace(s, mouth=_with(s.mouth, (5, 2), _SIZE + 1)),
        "mouth box",
    ),
    "mouth beyond the bottom": (
        lambda s: replace(s, mouth=_with(s.mouth, (5, 3), _SIZE + 1)),
        "mouth box",
    ),
    "a picture less": (lambda s: _pack(s, _pictures()[:-1]), "offsets.npy"),
    "pictures of another size": (lambda s: _pack(s, _pictures(size=16)), "frame 0 is"),
    "a picture torn": (_torn, "frame 2"),
    "a picture empty": (lambda s: _offsets(s, 3, s.frames.offsets[2]), "frame 2"),
    "offsets that do not begin at 0": (lambda s: _offsets(s, 0, 1), "does not span"),
    "offsets that end early": (
        lambda s: _offsets(s, -1, s.frames.offsets[-1] - 1),
        "does not span",
    ),
    "another schema": (lambda s: _meta(s, schema_version=99), "schema version 99"),
    "another clip's json": (lambda s: _meta(s, clip_id="other"), "key 'a-clip'"),
    "a key with a dot": (lambda s: _meta(replace(s, key="a.b"), clip_id="a.b"), "key 'a.b'"),
    "a key with a slash": (lambda s: _meta(replace(s, key="a/b"), clip_id="a/b"), "key 'a/b'"),
    "json of other frames": (lambda s: _meta(s, frames=_LENGTH + 1), "wav"),
    "json of another size": (lambda s: _meta(s, image_size=64), "frame 0 is"),
    "json without a field": (_without_speaker, "json lacks speaker"),
}


@pytest.mark.parametrize("what", _BROKEN)
def test_every_breach_of_the_contract_is_named(sample: Sample, what: str):
    break_, sentence = _BROKEN[what]
    assert problems(sample) == []
    found = problems(break_(sample))
    assert any(sentence in problem for problem in found), found


def test_a_sample_is_shown_in_a_line(sample: Sample):
    shown = repr(sample)
    assert len(shown) < 400
    assert shown.startswith(f"Sample({sample.key!r}: {len(sample.frames)} frames, audio (")
    assert "transforms" in shown  # what the meta holds, not the numbers
