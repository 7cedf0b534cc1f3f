"""Autoregressive generation, with networks that write down what they are shown."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config.architecture import DiffusionConfig
from model.config.choices import SamplerName
from model.config.presets import Preset
from model.data.training_frame import grey, to_unit
from model.diffusion.schedule import cosine_schedule
from model.network.talking_head import TalkingHead
from model.sampling.autoregressive import generate_frames, make_denoiser
from model.sampling.denoiser import Denoiser, FrameConditions
from model.sampling.sample_config import SampleConfig, sampling_schedule
from tests.model.recorder import FEATURES, ONE_STEP, Recorder, colour, draw, faces, speech


def test_motion_frames_start_as_the_identity_and_slide(small: Preset):
    recorder = Recorder()
    list(generate_frames(recorder, small, faces(2), [speech(4), speech(4, 1)], ONE_STEP))
    identity = torch.stack([to_unit(torch.from_numpy(f).permute(2, 0, 1)) for f in faces(2)])
    drawn = [torch.stack([colour(0, k), colour(1, k)]) for k in range(3)]
    expected = [
        (identity, identity),
        (identity, drawn[0]),
        (drawn[0], drawn[1]),
        (drawn[1], drawn[2]),
    ]
    assert len(recorder.seen) == 4
    for seen, (older, newer) in zip(recorder.seen, expected, strict=True):
        assert torch.equal(seen.identity, identity)
        torch.testing.assert_close(seen.motion, torch.cat([older, newer], 1), atol=1e-6, rtol=0)


def test_frames_are_what_was_drawn(small: Preset):
    for k, (first, second) in enumerate(
        generate_frames(Recorder(), small, faces(2), [speech(3), speech(3, 1)], ONE_STEP)
    ):
        for frame, base in ((first, 20 * k), (second, 10 + 20 * k)):
            assert frame.shape == (32, 32, 3)
            assert frame.dtype == np.uint8
            assert frame.flags.c_contiguous
            assert np.array_equal(
                np.unique(frame.reshape(-1, 3), axis=0), [[base, base + 1, base + 2]]
            )


def test_speech_goes_from_two_frames_before_to_two_after(small: Preset):
    recorder = Recorder()
    list(generate_frames(recorder, small, faces(2), [speech(4), speech(4, 1)], ONE_STEP))
    windows = [[0, 0, 0, 1, 2], [0, 0, 1, 2, 3], [0, 1, 2, 3, 3], [1, 2, 3, 3, 3]]
    for seen, window in zip(recorder.seen, windows, strict=True):
        assert seen.speech.shape == (2, 5, FEATURES)
        assert seen.speech[0, :, 7].tolist() == window
        assert seen.speech[1, :, 7].tolist() == [100 + value for value in window]


def test_clips_end_each_at_its_own_length(small: Preset):
    frames = list(
        generate_frames(
            Recorder(), small, faces(3), [speech(2), speech(5, 1), speech(3, 2)], ONE_STEP
        )
    )
    lengths = [sum(step[clip] is not None for step in frames) for clip in range(3)]
    assert (len(frames), lengths) == (5, [2, 5, 3])
    assert [step[0] is None for step in frames] == [False, False, True, True, True]


def test_grey_motion_frames(small: Preset):
    recorder = Recorder()
    preset = replace(small, unet=replace(small.unet, motion_channels=1))
    list(generate_frames(recorder, preset, faces(1), [speech(3)], ONE_STEP))
    identity = recorder.seen[0].identity
    assert identity.shape == (1, 3, 32, 32)
    torch.testing.assert_close(recorder.seen[0].motion, grey(identity).repeat(1, 2, 1, 1))
    expected = torch.stack([grey(colour(0, 0)), grey(colour(0, 1))], 1)
    torch.testing.assert_close(recorder.seen[2].motion, expected[0][None], atol=1e-6, rtol=0)


def test_what_is_drawn_next_sees_eight_bits(small: Preset, model: TalkingHead, monkeypatch):
    seen = []
    prepare = Denoiser.prepare_frame

    def noted(self: Denoiser, identity: Tensor, motion: Tensor, speech: Tensor) -> FrameConditions:
        seen.append(motion)
        return prepare(self, identity, motion, speech)

    monkeypatch.setattr(Denoiser, "prepare_frame", noted)
    videos = draw(model, small, [3], SampleConfig("ddim", steps=2))
    newest = ((seen[-1][0, 3:] + 1) * 127.5).permute(1, 2, 0).numpy()
    np.testing.assert_allclose(newest, videos[0][1], atol=1e-3)


def test_larger_faces_are_shrunk(small: Preset):
    face = np.kron(faces(1)[0], np.ones((4, 4, 1), np.uint8))
    recorder = Recorder()
    next(generate_frames(recorder, small, [face], [speech(1)], ONE_STEP))
    expected = to_unit(torch.from_numpy(faces(1)[0]).permute(2, 0, 1))
    torch.testing.assert_close(recorder.seen[0].identity[0], expected)


# --- noise ----------------------------------------------------------------------------------------


def test_clip_i_has_the_noise_of_seed_plus_i_alone_or_in_a_batch(small: Preset):
    together, alone = Recorder(), Recorder()
    list(generate_frames(together, small, faces(3), [speech(2)] * 3, replace(ONE_STEP, seed=40)))
    list(generate_frames(alone, small, faces(1), [speech(2)], replace(ONE_STEP, seed=42)))
    for batch, one in zip(together.noise, alone.noise, strict=True):
        assert torch.equal(batch[2], one[0])
        assert not torch.equal(batch[0], batch[1])
    assert not torch.equal(alone.noise[0], alone.noise[1])  # every frame has its own
    stacked = torch.stack(together.noise)
    assert float(stacked.mean()) == pytest.approx(0, abs=0.03)
    assert float(stacked.std()) == pytest.approx(1, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["dpm", "sde"])
def test_the_noise_of_a_frame_is_correlated_with_that_of_the_frame_before(
    small: Preset, model: TalkingHead, name: SamplerName
):
    """Frames change less, and at 0 they are those of independent noise."""
    videos = {
        rho: draw(model, small, [6], SampleConfig(name, 3, start="noise", noise_correlation=rho))
        for rho in (0.0, 0.9)
    }
    change = {
        rho: float(np.abs(np.diff(np.array(video[0], int), axis=0)).mean())
        for rho, video in videos.items()
    }
    assert change[0.9] < 0.6 * change[0.0]
    assert np.array_equal(videos[0.0][0][0], videos[0.9][0][0])  # nothing came before the first


def test_where_a_frame_begins_is_the_correlated_noise(small: Preset):
    recorder = Recorder()
    config = replace(ONE_STEP, noise_correlation=0.8, seed=3)
    list(generate_frames(recorder, small, faces(2), [speech(4)] * 2, config))
    generator, expected = torch.Generator().manual_seed(4), None
    for found in recorder.noise:
        fresh = torch.randn(3, 32, 32, generator=generator)
        expected = fresh if expected is None else 0.8 * expected + 0.6 * fresh
        torch.testing.assert_close(found[1], expected)


@pytest.mark.slow
@pytest.mark.parametrize("name", get_args(SamplerName))
def test_a_clip_is_the_same_alone_and_beside_a_longer_one(small, model, name: SamplerName):
    config = SampleConfig(name, steps=3, seed=7)
    both = draw(model, small, [3, 4], config)
    alone = draw(model, small, [3], config)
    again = draw(model, small, [3], config)
    other = draw(model, small, [3], replace(config, seed=8))
    assert [len(video) for video in both] == [3, 4]
    assert np.array_equal(alone[0], again[0])
    assert np.abs(np.subtract(both[0], alone[0], dtype=int)).max() <= 1
    assert np.abs(np.subtract(alone[0], other[0], dtype=int)).max() > 5


def test_the_rest_of_the_program_keeps_its_random_numbers(small: Preset, model: TalkingHead):
    torch.manual_seed(9)
    expected = torch.rand(3)
    torch.manual_seed(9)
    draw(model, small, [2], SampleConfig("ancestral", steps=2))
    assert torch.equal(torch.rand(3), expected)


def test_bf16_draws_nearly_the_same(small: Preset, model: TalkingHead):
    whole = draw(model, small, [2], SampleConfig("ddim", 3, precision="float32"))
    half = draw(model, small, [2], SampleConfig("ddim", 3, precision="bf16"))
    assert 0 < np.abs(np.subtract(whole, half, dtype=int)).mean() < 4


def test_a_network_that_can_only_be_called_draws_the_same(small: Preset, model: TalkingHead):
    class Closed(torch.nn.Module):
        def __init__(self, inner: torch.nn.Module) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, *given: Tensor) -> Tensor:
            return self.inner(*given)

    expected = draw(model, small, [3], SampleConfig("ancestral", steps=3))
    model.unet = Closed(model.unet)
    found = draw(model, small, [3], SampleConfig("ancestral", steps=3))
    assert np.abs(np.subtract(found, expected, dtype=int)).max() <= 1


# --- long videos ----------------------------------------------------------------------------------


def test_speech_is_read_no_further_than_the_frame_needs(small: Preset):
    read = []

    def rows() -> Iterator[NDArray[np.float32]]:
        for k in itertools.count():
            read.append(k)
            yield np.full(FEATURES, k, np.float32)

    recorder = Recorder()
    frames = generate_frames(recorder, small, faces(2), [rows(), speech(4)], ONE_STEP)
    for k in range(6):
        first, second = next(frames)
        assert first is not None
        assert (second is None) == (k >= 4)
        assert read[-1] == k + 2
    assert recorder.seen[5].speech[0, :, 7].tolist() == [3, 4, 5, 6, 7]
    assert recorder.seen[5].speech[1, :, 7].tolist() == [3, 3, 3, 3, 3]


def test_a_clip_without_speech_is_refused(small: Preset):
    with pytest.raises(ValueError, match="not one row of speech"):
        next(generate_frames(Recorder(), small, faces(2), [speech(3), speech(0)], ONE_STEP))


def test_reanchoring_shows_the_identity_again_every_so_many_frames(small: Preset):
    recorder = Recorder()
    config = replace(ONE_STEP, reanchor=3)
    list(generate_frames(recorder, small, faces(1), [speech(8)], config))
    identity = recorder.seen[0].identity
    older = [torch.equal(seen.motion[:, :3], identity) for seen in recorder.seen]
    assert older == [True, True, False, True, False, False, True, False]
    for k, seen in enumerate(recorder.seen[1:], start=1):
        expected = colour(0, k - 1)[None]
        torch.testing.assert_close(seen.motion[:, 3:], expected, atol=1e-6, rtol=0)


def test_a_frame_may_start_at_the_one_before(small: Preset):
    """What the network is shown first is the last frame, and noise as at the step it starts at."""
    config = replace(ONE_STEP, start="previous", start_step=300)
    recorder, plain = Recorder(sampling_schedule(DiffusionConfig(), config)), Recorder()
    list(generate_frames(recorder, small, faces(1), [speech(2)], config))
    list(generate_frames(plain, small, faces(1), [speech(2)], ONE_STEP))
    alpha_bar = float(cosine_schedule().alpha_bar[299])
    for k, before in enumerate((recorder.seen[0].identity, colour(0, 0)[None])):
        expected = alpha_bar**0.5 * before + (1 - alpha_bar) ** 0.5 * plain.noise[k]
        torch.testing.assert_close(recorder.noise[k], expected)


def test_threads_are_as_they_were_while_the_caller_works(small: Preset, model: TalkingHead):
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        denoiser = make_denoiser(model, small, ONE_STEP)
        for _ in generate_frames(denoiser, small, faces(1), [speech(2)], ONE_STEP):
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
