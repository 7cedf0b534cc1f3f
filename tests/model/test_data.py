"""Training frames: the right pictures, sound and box, from clips in a reproducible order."""

from __future__ import annotations

import itertools
import os
import signal
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from model.data import (
    TrainingFrames,
    as_tensor,
    batches,
    grey,
    lip_shape,
    scaled_box,
    speech_windows,
    to_pixels,
    to_unit,
    training_frame,
)
from pipeline.errors import UserError
from pipeline.shards import read_samples

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from model.presets import Preset
    from model.unet import UNetConfig
    from pipeline.sample import Sample


@pytest.fixture
def config(small: Preset) -> UNetConfig:
    return small.unet


def brightness(picture: torch.Tensor) -> int:
    """What an evenly grey picture is painted with."""
    assert float(picture.float().std()) < 1
    return round(float(picture.float().mean()))


# --- pixels ---------------------------------------------------------------------------------------


def test_pixels_survive_the_way_to_the_unit_range_and_back():
    pixels = torch.arange(256, dtype=torch.uint8)
    unit = to_unit(pixels)
    assert (float(unit[0]), float(unit[-1])) == (-1, 1)
    assert torch.equal(to_pixels(unit), pixels)
    assert to_pixels(torch.tensor([-3.0, 2.0, 0.001])).tolist() == [0, 255, 128]


def test_grey_is_the_luma_of_bt601():
    rng = np.random.default_rng(0)
    frames = torch.from_numpy(rng.integers(0, 256, (2, 3, 5, 7), dtype=np.uint8))
    r, g, b = frames.double().unbind(1)
    expected = 0.299 * r + 0.587 * g + 0.114 * b
    found = grey(frames)
    assert found.shape == (2, 1, 5, 7)
    assert found.dtype == torch.uint8
    torch.testing.assert_close(found[:, 0].double(), expected, atol=0.5001, rtol=0)
    unit = grey(to_unit(frames))
    assert unit.dtype == torch.float32
    torch.testing.assert_close(unit[:, 0].double(), expected / 127.5 - 1, atol=1e-5, rtol=0)


def test_a_picture_is_averaged_when_it_shrinks():
    picture = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    small = as_tensor(picture, 32)
    means = picture.reshape(32, 2, 32, 2, 3).astype(float).mean((1, 3))
    assert small.dtype == torch.uint8
    np.testing.assert_allclose(small.permute(1, 2, 0).numpy(), means, atol=0.51)
    assert torch.equal(as_tensor(picture, 64), torch.from_numpy(picture).permute(2, 0, 1))
    assert as_tensor(picture, 128).shape == (3, 128, 128)


@pytest.mark.parametrize(("context", "length"), [(2, 6), (2, 2), (0, 3), (1, 1)])
def test_speech_windows_repeat_the_edges(context: int, length: int):
    features = np.arange(length, dtype=np.float32)[:, None] * [1, 10]
    windows = speech_windows(features, context)
    assert windows.shape == (length, 2 * context + 1, 2)
    for k in range(length):
        expected = [min(max(j, 0), length - 1) for j in range(k - context, k + context + 1)]
        assert windows[k, :, 0].tolist() == expected
        assert windows[k, :, 1].tolist() == [10 * value for value in expected]


@pytest.mark.parametrize(
    ("box", "scale", "size", "expected"),
    [
        ([40, 80, 90, 110], 0.5, 64, [20, 40, 45, 55]),
        ([41, 81, 89, 109], 0.5, 64, [20, 40, 45, 55]),  # no part is lost
        ([127, 127, 128, 128], 0.25, 32, [31, 31, 32, 32]),  # at least a pixel
        ([0, 0, 32, 32], 2.0, 64, [0, 0, 64, 64]),
        ([3, 5, 7, 9], 1.0, 32, [3, 5, 7, 9]),
    ],
)
def test_boxes_at_another_size(box: list[int], scale: float, size: int, expected: list[int]):
    assert scaled_box(np.array(box, np.int16), scale, size).tolist() == expected


# --- one training frame ---------------------------------------------------------------------------


def test_a_frame_and_what_it_is_drawn_from(drawn_sample, config: UNetConfig):
    """Picture k is painted 20 + 4 k."""
    sample = drawn_sample("a", 10)
    frame = training_frame(sample, 6, 2, config, drop_motion=False)
    assert frame["keys"] == "a"
    assert brightness(frame["target"]) == 44
    assert brightness(frame["identity"]) == 28
    assert frame["motion"].shape == (6, 32, 32)
    assert [brightness(part) for part in frame["motion"].split(3)] == [36, 40]  # oldest first
    assert frame["speech"][:, 0].tolist() == [4, 5, 6, 7, 8]
    assert frame["mouth"].tolist() == sample.mouth[6].tolist() != sample.mouth[2].tolist()


@pytest.mark.parametrize(
    ("target", "drop", "motion", "speech"),
    [
        (0, False, [40, 40], [0, 0, 0, 1, 2]),
        (1, False, [40, 20], [0, 0, 1, 2, 3]),
        (2, False, [20, 24], [0, 1, 2, 3, 4]),
        (9, False, [48, 52], [7, 8, 9, 9, 9]),
        (9, True, [40, 40], [7, 8, 9, 9, 9]),
    ],
)
def test_what_is_missing_is_replaced(
    drawn_sample, config, target: int, drop: bool, motion: list[int], speech: list[int]
):
    frame = training_frame(drawn_sample("a", 10), target, 5, config, drop_motion=drop)
    assert [brightness(part) for part in frame["motion"].split(3)] == motion
    assert frame["speech"][:, 0].tolist() == speech


def test_grey_motion_frames(shared_data, real_set: Path, config: UNetConfig):
    sample = next(read_samples(real_set, "train"))
    frame = training_frame(
        sample, 7, 0, replace(config, motion_channels=1, motion_frames=3), drop_motion=False
    )
    assert frame["motion"].shape == (3, 32, 32)
    for part, index in zip(frame["motion"], (4, 5, 6), strict=True):
        luma = sample.frames[index].astype(float) @ [0.299, 0.587, 0.114]
        np.testing.assert_allclose(part.numpy(), luma, atol=0.51)
    assert frame["target"].shape == (3, 32, 32)


def test_at_another_size_the_box_stays_on_the_mouth(drawn_sample, config: UNetConfig):
    sample = drawn_sample("a", 4, size=64)
    whole = sample.mouth[3].tolist()
    half = training_frame(sample, 3, 0, config, drop_motion=False)
    x0, y0, x1, y1 = half["mouth"].tolist()
    assert half["target"].shape == (3, 32, 32)
    assert half["mouth"].dtype == torch.int64
    assert [x0, y0] == [value // 2 for value in whole[:2]]
    assert [x1, y1] == [(value + 1) // 2 for value in whole[2:]]


def test_a_real_mouth_lies_in_its_box(real_set: Path, config: UNetConfig):
    for sample in read_samples(real_set):
        for target in (0, len(sample.frames) // 2):
            frame = training_frame(sample, target, 1, config, drop_motion=False)
            x0, y0, x1, y1 = frame["mouth"].tolist()
            lips = sample.landmarks[target, 48:]
            assert ((lips >= [x0, y0]) & (lips <= [x1, y1])).all()
            assert (x1 - x0) * (y1 - y0) < 32 * 32 / 3


def test_lip_shape_is_what_the_lips_do_apart_from_how_they_are(drawn_sample):
    """These lips walk to the right, a pixel a frame, and keep their shape."""
    sample = drawn_sample("a", 5)
    for k in range(5):
        shape = lip_shape(sample, k).reshape(20, 2)
        assert shape.dtype == np.float32
        np.testing.assert_allclose(shape[:, 0], (k - 2) / (0.02 * 32), atol=1e-5)
        np.testing.assert_allclose(shape[:, 1], 0, atol=1e-5)
    # The same at another size of the data set.
    larger = replace(sample, landmarks=2 * sample.landmarks, meta={**sample.meta, "image_size": 64})
    np.testing.assert_allclose(lip_shape(larger, 4), lip_shape(sample, 4), atol=1e-5)


# --- the stream -----------------------------------------------------------------------------------


def stream(folder: Path, config: UNetConfig, **options: object) -> TrainingFrames:
    given = {"seed": 0, "frames_per_clip": 2, "drop_motion": 0.0, **options}
    return TrainingFrames(folder, config, **given)


def content(frame: dict) -> tuple:
    return (frame["keys"], *(brightness(frame[name]) for name in ("target", "identity")))


def take(frames: TrainingFrames, count: int) -> list[tuple]:
    return [content(frame) for frame in itertools.islice(frames, count)]


def test_the_identity_is_another_frame_of_the_same_clip(drawn_set: Path, config: UNetConfig):
    """Clip i is painted 20 + 50 i + 4 k, k < 6."""
    drawn = take(stream(drawn_set, config), 400)
    for key, target, identity in drawn:
        first = 20 + 50 * int(key[-1])
        assert {target, identity} <= set(range(first, first + 24, 4))
        assert target != identity
    # Every ordered pair of the 3 x 6 x 5 comes up, about as often as any other.
    seen = Counter(drawn)
    assert len(seen) > 80
    assert max(seen.values()) < 20


def test_the_order_is_that_of_the_seed(drawn_set: Path, config: UNetConfig):
    first = take(stream(drawn_set, config, seed=3), 120)
    assert take(stream(drawn_set, config, seed=3), 120) == first
    assert take(stream(drawn_set, config, seed=4), 120) != first


def test_the_test_split_is_never_trained_on(drawn_set: Path, config: UNetConfig):
    assert {key for key, *_ in take(stream(drawn_set, config), 300)} == {"clip0", "clip1", "clip2"}
    assert {key for key, *_ in take(stream(drawn_set, config, split="test"), 20)} == {"test0"}
    with pytest.raises(UserError, match="no clip of split 'val'"):
        stream(drawn_set, config, split="val")


def test_a_share_of_frames_has_no_motion(drawn_set: Path, config: UNetConfig):
    def dropped(share: float) -> float:
        frames = itertools.islice(stream(drawn_set, config, drop_motion=share), 400)
        later = [
            frame for frame in frames if int(frame["speech"][2, 0]) >= 2
        ]  # features are the frame's number
        alone = [torch.equal(frame["motion"], frame["identity"].repeat(2, 1, 1)) for frame in later]
        return sum(alone) / len(alone)

    assert dropped(0) == 0
    assert dropped(1) == 1
    assert dropped(0.3) == pytest.approx(0.3, abs=0.1)


def test_a_clip_of_one_frame_is_its_own_identity(tmp_path, drawn_sample, write_set, config):
    folder = write_set(tmp_path / "one", [("train", [drawn_sample("a", 1)])])
    assert take(stream(folder, config), 3) == [("a", 20, 20)] * 3


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
@pytest.mark.parametrize("shards", [[3], [1, 1, 1], [2, 1], [2]])
def test_workers_share_the_clips_however_few(
    tmp_path, drawn_sample, write_set, config, workers: int, shards: list[int]
):
    """One shard for two workers, one clip for three: nobody waits for ever."""
    names = iter("abcdef")
    given = [("train", [drawn_sample(next(names), 2) for _ in range(n)]) for n in shards]
    frames = stream(write_set(tmp_path / "set", given), config)
    read = [
        [sample.key for sample in itertools.islice(frames._clips(worker, workers), 12)]
        for worker in range(workers)
    ]
    assert set().union(*read) == set("abc"[: sum(shards)])
    # Together they read in turns what one would read alone.
    alone = itertools.islice(frames._clips(0, 1), 12 * workers)
    turns = [key for turn in zip(*read, strict=True) for key in turn]
    assert turns == [sample.key for sample in alone]


def test_shards_are_read_in_another_order_every_epoch(tmp_path, drawn_sample, write_set, config):
    given = [("train", [drawn_sample(name, 2)]) for name in "abcdefgh"]
    frames = stream(write_set(tmp_path / "set", given), config)
    keys = [sample.key for sample in itertools.islice(frames._clips(0, 1), 40)]
    epochs = ["".join(keys[begin : begin + 8]) for begin in range(0, 40, 8)]
    assert all(sorted(epoch) == list("abcdefgh") for epoch in epochs)
    assert len(set(epochs)) == 5


def test_a_name_with_braces_is_a_name(tmp_path, drawn_sample, write_set, config):
    """webdataset would expand it to several."""
    folder = write_set(tmp_path / "set{0..3}", [("train", [drawn_sample("a", 3)])])
    assert len(take(stream(folder, config), 5)) == 5


def test_batches_in_this_process(drawn_set: Path, config: UNetConfig):
    loader = batches(stream(drawn_set, config), 5, workers=0, pin=False)
    batch, again = itertools.islice(loader, 2)
    assert batch.target.shape == batch.identity.shape == (5, 3, 32, 32)
    assert batch.motion.shape == (5, 6, 32, 32)
    assert batch.speech.shape == (5, 5, 234)
    assert batch.mouth.shape == (5, 4)
    assert {batch.target.dtype, batch.identity.dtype, batch.motion.dtype} == {torch.uint8}
    assert len(batch.keys) == 5
    assert batch.keys + again.keys == [key for key, *_ in take(stream(drawn_set, config), 10)]


@pytest.mark.slow
def test_batches_of_more_workers_than_clips_come_and_outlive_ctrl_c(
    tmp_path, drawn_sample: Callable[..., Sample], write_set, config: UNetConfig
):
    """Two readers of a single clip; a Ctrl-C at the terminal reaches them too."""
    folder = write_set(tmp_path / "set", [("train", [drawn_sample("a", 8)])])

    def drawn() -> list[tuple]:
        loader = batches(stream(folder, config), 3, workers=2, pin=False)
        loader.timeout = 60  # a hang becomes an error
        stream_ = iter(loader)
        first = [next(stream_) for _ in range(2)]
        for worker in stream_._workers:
            os.kill(worker.pid, signal.SIGINT)
            os.kill(worker.pid, signal.SIGTERM)
        found = first + [next(stream_) for _ in range(14)]  # more than was read ahead
        assert all(worker.is_alive() for worker in stream_._workers)
        return [tuple(map(brightness, batch.target)) for batch in found]

    first = drawn()
    assert drawn() == first
    assert first[::2] != first[1::2]  # the two readers draw other frames
