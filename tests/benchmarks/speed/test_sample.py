"""The speed of sampling: what both ways compute."""

import pytest
import torch

from benchmarks.speed.sample import build, ours, released_way
from model.config.presets import preset
from model.sampling.denoiser import Denoiser
from model.sampling.sample_config import SampleConfig


def test_the_released_way_computes_everything_at_every_step():
    model = build(preset("tiny"), torch.device("cpu"))
    calls = {"unet": 0, "encoder": 0}
    model.unet.register_forward_hook(lambda *_: calls.update(unet=calls["unet"] + 1))
    model.speech_encoder.register_forward_hook(
        lambda *_: calls.update(encoder=calls["encoder"] + 1)
    )
    dtypes = set()
    model.unet.out[2].register_forward_hook(lambda *given: dtypes.add(given[2].dtype))
    released_way(model, preset("tiny"), 3)()
    assert calls == {"unet": 3, "encoder": 3}
    assert dtypes == {torch.float32}


@pytest.mark.slow
def test_ours_draws_a_frame_of_all_clips_a_call(monkeypatch):
    shapes = []
    step = Denoiser.step

    def noted(self: Denoiser, x: torch.Tensor, *rest) -> torch.Tensor:
        shapes.append(tuple(x.shape))
        return step(self, x, *rest)

    monkeypatch.setattr(Denoiser, "step", noted)
    model = build(preset("tiny"), torch.device("cpu"))
    again, first = ours(model, preset("tiny"), SampleConfig("ddim", 4), 2)
    for frame in (again, again, first):
        shapes.clear()
        frame()
        assert shapes == [(2, 3, 128, 128)] * 4
