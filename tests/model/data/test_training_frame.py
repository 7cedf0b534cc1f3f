"""Training frames: the right pictures, sound and box, from clips in a reproducible order."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.config.architecture import UNetConfig
from model.config.presets import Preset
from model.config.recipe import MotionCorruption, TrainConfig
from model.data.training_frame import (
    Batch,
    FrameChoice,
    as_tensor,
    grey,
    lip_shape,
    scaled_box,
    to_pixels,
    to_unit,
    training_frame,
)
from pipeline.dataset.sample import Sample
from pipeline.dataset.shards import read_samples


@pytest.fixture
def config(small: Preset) -> UNetConfig:
    return small.unet


def brightness(picture: torch.Tensor) -> int:
    """What an evenly grey picture is painted with."""
    assert float(picture.float().std()) < 1
    return round(float(picture.float().mean()))


def frame_of(
    sample: Sample, target: int, identity: int, config: UNetConfig, **recipe: object
) -> Batch:
    """The training frame with that target and that identity."""
    length = len(sample.frames)
    others = ((identity - target - 1) % length + 0.5) / (length - 1)
    choice = FrameChoice((target + 0.5) / length, others, drop=0.5, level=1.0, seed=7)
    return training_frame(sample, choice, config, TrainConfig(1, 1, 1e-3, **recipe))


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
    frame = frame_of(sample, 6, 2, config)
    assert frame.keys == ["a"]
    assert brightness(frame.target) == 44
    assert brightness(frame.identity) == 28
    assert frame.motion.shape == (6, 32, 32)
    assert [brightness(part) for part in frame.motion.split(3)] == [36, 40]  # oldest first
    assert frame.speech[:, 0].tolist() == [4, 5, 6, 7, 8]
    assert frame.mouth.tolist() == sample.mouth[6].tolist() != sample.mouth[2].tolist()


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
    frame = frame_of(drawn_sample("a", 10), target, 5, config, drop_motion=float(drop))
    assert [brightness(part) for part in frame.motion.split(3)] == motion
    assert frame.speech[:, 0].tolist() == speech


def test_grey_motion_frames(shared_data, real_set: Path, config: UNetConfig):
    sample = next(read_samples(real_set, "train"))
    frame = frame_of(sample, 7, 0, replace(config, motion_channels=1, motion_frames=3))
    assert frame.motion.shape == (3, 32, 32)
    for part, index in zip(frame.motion, (4, 5, 6), strict=True):
        luma = sample.frames[index].astype(float) @ [0.299, 0.587, 0.114]
        np.testing.assert_allclose(part.numpy(), luma, atol=0.51)
    assert frame.target.shape == (3, 32, 32)


def test_at_another_size_the_box_stays_on_the_mouth(drawn_sample, config: UNetConfig):
    sample = drawn_sample("a", 4, size=64)
    whole = sample.mouth[3].tolist()
    half = frame_of(sample, 3, 0, config)
    x0, y0, x1, y1 = half.mouth.tolist()
    assert half.target.shape == (3, 32, 32)
    assert half.mouth.dtype == torch.int64
    assert [x0, y0] == [value // 2 for value in whole[:2]]
    assert [x1, y1] == [(value + 1) // 2 for value in whole[2:]]


def test_a_real_mouth_lies_in_its_box(real_set: Path, config: UNetConfig):
    for sample in read_samples(real_set):
        for target in (0, len(sample.frames) // 2):
            frame = frame_of(sample, target, 1, config)
            x0, y0, x1, y1 = frame.mouth.tolist()
            lips = sample.landmarks[target, 48:]
            assert ((lips >= [x0, y0]) & (lips <= [x1, y1])).all()
            assert (x1 - x0) * (y1 - y0) < 32 * 32 / 3


def test_the_released_loaders_mistake_takes_the_identitys_box(drawn_sample, config: UNetConfig):
    sample = drawn_sample("a", 10)
    ours = frame_of(sample, 6, 2, config)
    theirs = frame_of(sample, 6, 2, config, mouth_box="identity")
    assert ours.mouth.tolist() == sample.mouth[6].tolist()
    assert theirs.mouth.tolist() == sample.mouth[2].tolist() != sample.mouth[6].tolist()


def test_only_motion_frames_are_corrupted_by_the_frames_own_seed(
    real_set: Path, config: UNetConfig
):
    sample = next(read_samples(real_set, "train"))
    clean = frame_of(sample, 7, 0, config)
    strength = MotionCorruption(blur=3, colour=0.2, compression=1)
    corrupted, again = (frame_of(sample, 7, 0, config, motion=strength) for _ in range(2))
    assert torch.equal(corrupted.motion, again.motion)
    assert float((corrupted.motion.float() - clean.motion.float()).abs().mean()) > 5
    assert torch.equal(corrupted.target, clean.target)
    assert torch.equal(corrupted.identity, clean.identity)
    assert (float(clean.level), float(corrupted.level)) == (0, 1)


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
