"""Augmentation: pictures, boxes, lips and speech of a training frame change together."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from python_speech_features import mfcc

from model.config.presets import Preset, preset
from model.config.recipe import Augmentation, TrainConfig
from model.data.augmentation import ClipChange
from model.data.training_frame import FrameChoice, training_frame
from pipeline.dataset.sample import Sample
from pipeline.faces.mouth_box import MOUTH, mouth_boxes
from pipeline.speech.mfcc import mfcc_windows

ALL = preset("people").train.augmentation
SIZE = 128


def drawn(seed: int, **options: float) -> ClipChange:
    return ClipChange.drawn(Augmentation(**options), SIZE, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(6))
def test_the_box_and_the_lips_follow_the_picture(seed: int):
    """Dots at the lips' landmarks are found again where box and lips say."""
    change = drawn(seed, mirror=0.5, similarity=0.1)
    rng = np.random.default_rng(seed)
    points = np.array([64, 84]) + rng.uniform(-14, 14, (20, 2))
    moved = np.column_stack([points, np.ones(20)]) @ change.matrix.T
    for point, expected in zip(points, moved, strict=True):
        picture = np.zeros((SIZE, SIZE, 3), np.uint8)
        x, y = point.round().astype(int)
        picture[y - 1 : y + 2, x - 1 : x + 2] = 255
        weight = change.frame(picture)[..., 0].astype(float)
        rows, columns = np.indices(weight.shape)
        found = [(weight * columns).sum() / weight.sum(), (weight * rows).sum() / weight.sum()]
        assert np.abs(found - expected).max() < 1.2  # the dot lies on whole pixels
    landmarks = np.tile(np.full(2, 64.0), (1, 68, 1))
    landmarks[:, MOUTH] = points
    x0, y0, x1, y1 = change.box(mouth_boxes(landmarks, SIZE)[0].astype(np.int64), SIZE)
    assert (moved >= [x0 - 1, y0 - 1]).all()
    assert (moved <= [x1, y1]).all()
    shape = (points - points.mean(0)).astype(np.float32)
    turned = change.lips(shape.ravel()).reshape(20, 2)
    # Mirroring also renumbers them.
    expected = sorted((moved - moved.mean(0)).tolist())
    np.testing.assert_allclose(sorted(turned.tolist()), expected, atol=1e-3)


def test_mirrored_lips_are_numbered_like_any_others():
    """The corners of the mouth stay 48, left, and 54, right; the inner ones 60 and 64."""
    change = next(c for c in (drawn(seed, mirror=0.5) for seed in range(20)) if c.mirrored)
    # A symmetric mouth in dlib's order is its own mirror image.
    outer = [(-6, 0), (-4, -2), (-2, -3), (0, -2), (2, -3), (4, -2), (6, 0)]
    outer += [(4, 3), (2, 4), (0, 5), (-2, 4), (-4, 3)]
    inner = [(-5, 0), (-2, -1), (0, -1), (2, -1), (5, 0), (2, 2), (0, 3), (-2, 2)]
    mouth = np.array(outer + inner, np.float32).ravel()
    np.testing.assert_allclose(change.lips(mouth), mouth, atol=1e-5)


def vowel(formants: list[float]) -> np.ndarray:
    """A second of a buzz at 100 Hz with resonances."""
    time = np.arange(16000) / 16000
    tones = np.arange(100, 7900, 100)
    heights = sum(np.exp(-(((tones - f) / 150) ** 2)) for f in formants) + 0.01
    sound = (heights[:, None] * np.sin(2 * np.pi * tones[:, None] * time)).sum(0)
    return (4000 * sound / np.abs(sound).max()).astype(np.int16)


def test_speech_by_another_voice_and_level():
    """Stretched MFCC of a vowel are nearer to the MFCC of the vowel with stretched formants."""
    formants = [700.0, 1200.0, 2600.0]
    windows = [mfcc_windows(vowel([f * w for f in formants]), 25)[10] for w in (1.0, 1.12)]
    plain, other = (w.reshape(18, 13)[:, 1:] for w in windows)
    change = replace(drawn(0), stretch=1.12, log_energy=np.log(4))
    changed = change.mfcc(windows[0])
    stretched = changed.reshape(18, 13)[:, 1:]
    assert np.linalg.norm(stretched - other) < 0.6 * np.linalg.norm(plain - other)
    loud = mfcc(2.0 * vowel(formants), 16000)[40, 0]  # twice the amplitude, four times the energy
    soft = mfcc(1.0 * vowel(formants), 16000)[40, 0]
    added = changed.reshape(18, 13)[:, 0] - windows[0].reshape(18, 13)[:, 0]
    np.testing.assert_allclose(added, loud - soft, atol=1e-3)


def test_no_stretch_leaves_speech_as_it_is():
    windows = np.random.default_rng(0).normal(5, 3, (5, 234)).astype(np.float32)
    windows[:, ::13] = np.abs(windows[:, ::13])
    np.testing.assert_allclose(drawn(0).mfcc(windows), windows, atol=1e-3)


def test_a_training_frame_is_changed_as_a_whole_and_by_its_seed(drawn_sample, small: Preset):
    sample: Sample = drawn_sample("a", 10, first=100)  # nothing is clipped
    sample.meta["options"] = {"speech": "mfcc"}
    recipe = TrainConfig(1, 1, 1e-3, augmentation=Augmentation(colour=0.2, mirror=0.5, level=6))

    def frame(seed: int, recipe: TrainConfig = recipe) -> dict[str, torch.Tensor]:
        choice = FrameChoice(0.65, 0.4, 0.5, 0.0, seed)
        batch = training_frame(sample, choice, small.unet, recipe)
        return {k: v for k, v in vars(batch).items() if k not in ("keys", "seed")}

    plain = frame(3, TrainConfig(1, 1, 1e-3))
    same, again, other = frame(3), frame(3), frame(4)
    assert all(torch.equal(same[name], again[name]) for name in same)
    for name in ("target", "identity", "motion", "speech"):
        assert not torch.equal(same[name].float(), plain[name].float())
        assert not torch.equal(same[name].float(), other[name].float())
    # Evenly grey pictures: the same gain and shift for each, so that differences keep their ratio.
    means = [same[n].float().mean((1, 2))[:3] for n in ("target", "identity", "motion")]
    before = [plain[n].float().mean((1, 2))[:3] for n in ("target", "identity", "motion")]
    ratio = (means[0] - means[1]) / (before[0] - before[1])
    torch.testing.assert_close(
        means[2] - means[1], ratio * (before[2] - before[1]), atol=1.5, rtol=0
    )


def test_the_preset_for_people_augments_and_the_papers_do_not():
    assert all(vars(ALL).values())
    assert preset("crema").train.augmentation == Augmentation()
