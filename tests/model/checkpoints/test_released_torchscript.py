"""The authors' demo model, stood in for by TorchScript modules of the same interface."""

from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data

from model.checkpoints.released import ScriptedUNet, load_released
from model.config.presets import PRESETS
from model.network.talking_head import Conditions
from model.sampling.autoregressive import generate_frames, make_denoiser
from model.sampling.sample_config import SampleConfig
from pipeline.errors import UserError
from tests.released_network import Shape, inputs, weights
from tests.scripts import Demo, OneArgument, write_script

CPU = torch.device("cpu")
TINY = Shape(base=32, multiples=(1, 2), attention=())


def expected(x, t, identity, motion, speech) -> torch.Tensor:
    level = 0.01 * (speech[:, 2].mean(1) + 0.001 * t).reshape(-1, 1, 1, 1)
    noise = 0.1 * x + 0.25 * identity + 0.4 * motion[:, :3]
    return torch.cat([noise + level, 0.1 * x], 1)


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    return write_script(tmp_path / "demo.pt", Demo(weights(TINY)))


def test_it_is_called_as_the_authors_call_it(demo: Path):
    model, preset, step = load_released(demo, CPU)
    assert isinstance(model.unet, ScriptedUNet)
    assert (preset.unet.base_channels, preset.unet.channel_mult, step) == (32, (1, 2), 0)
    assert model.speech.name == "released"
    given = inputs(TINY, 32)
    output = model(*given[:2], Conditions(*given[2:]))
    torch.testing.assert_close(output, expected(*given))
    assert not output.requires_grad


def test_it_computes_in_its_own_type(demo: Path):
    model, _, _ = load_released(demo, CPU)
    given = inputs(TINY, 32)
    with torch.autocast("cpu", torch.bfloat16):
        output = model(*given[:2], Conditions(*given[2:]))
    torch.testing.assert_close(output, expected(*given))


def test_it_talks(demo: Path):
    model, preset, _ = load_released(demo, CPU)
    face = np.ascontiguousarray(data.astronaut()[:128, 150:278])
    speech = np.random.default_rng(0).normal(0, 1, (3, 32)).astype(np.float32)
    config = SampleConfig("ancestral", 4)
    denoiser = make_denoiser(model, preset, config)
    drawn = [frames[0] for frames in generate_frames(denoiser, preset, [face], [speech], config)]
    assert [frame.shape for frame in drawn] == [(128, 128, 3)] * 3
    again = [
        frames[0] for frames in generate_frames(denoiser, preset, [face], [-9 * speech], config)
    ]
    assert not np.array_equal(drawn[0], again[0])


def test_without_named_parameters_it_is_taken_for_the_one_published(tmp_path: Path):
    path = write_script(tmp_path / "frozen.pt", Demo({}, named=False))
    model, preset, _ = load_released(path, CPU)
    assert preset == PRESETS["crema"]
    assert model.speech.coefficients == 256
    with pytest.raises(UserError, match="holds no network of the authors"):
        load_released(path, CPU, call_script=False)


def test_its_tensors_can_be_taken_out(demo: Path):
    model, preset, _ = load_released(demo, CPU, call_script=False)
    assert preset.unet.motion_channels == 3
    found = model.unet.state_dict()
    assert all(torch.equal(found[name], value) for name, value in weights(TINY).items())


def test_torchscript_of_another_kind(tmp_path: Path):
    path = write_script(tmp_path / "other.pt", OneArgument())
    with pytest.raises(UserError, match="not the authors' demo model: its forward takes 1 argu"):
        load_released(path, CPU)


class Narrow(Demo):
    def forward(
        self,
        x: torch.Tensor,
        t: torch.Tensor,
        identity: torch.Tensor,
        motion: torch.Tensor,
        speech: torch.Tensor,
    ) -> torch.Tensor:
        return x + t[:, None, None, None] + identity + motion[:, :3] + speech.mean()


def test_another_answer(tmp_path: Path):
    path = write_script(tmp_path / "narrow.pt", Narrow({}, named=False))
    model, _, _ = load_released(path, CPU)
    given = inputs(Shape(), 16)
    with pytest.raises(UserError, match=r"answers with \(2, 3, 16, 16\), not \(2, 6, 16, 16\)"):
        model(*given[:2], Conditions(*given[2:]))
