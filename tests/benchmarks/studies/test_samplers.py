"""The table of samplers: its measures, and which setting is as good as the reference."""

import numpy as np
import pytest

from benchmarks.studies.samplers import Result, cheapest, measure, parse, row, worse
from model.sampling.sample_config import SampleConfig
from pipeline.errors import UserError
from pipeline.faces.tracking import Track


def test_settings():
    assert parse("ancestral:200,dpm:4:start=previous:start_step=800", "bf16") == {
        "ancestral:200": SampleConfig("ancestral", 200, precision="bf16"),
        "dpm:4:start=previous:start_step=800": SampleConfig(
            "dpm", 4, start="previous", start_step=800, precision="bf16"
        ),
    }
    for wrong in ("ddim", "ddim:many", "ddim:4:previous", "ddim:4:start=x=y", "ddim:4:way=2"):
        with pytest.raises(UserError, match="ddim"):
            parse(wrong, "float32")


def test_worse_is_what_noise_does_not_explain():
    rng = np.random.default_rng(1)
    clips = rng.normal(0.7, 0.2, 30)  # clips differ far more than settings do
    assert worse(clips - 0.01 + rng.normal(0, 0.005, 30), clips, "SSIM")
    assert not worse(clips - 0.001 + rng.normal(0, 0.01, 30), clips, "SSIM")
    assert not worse(clips + 0.05, clips, "SSIM")
    # A share of the real clip's: both too little and too much are worse.
    steady = np.full(30, 1.02)
    assert worse(np.full(30, 0.8), steady, "OFM")
    assert worse(np.full(30, 1.25), steady, "OFM")
    assert not worse(np.full(30, 0.99), steady, "OFM")


def test_the_cheapest_within_noise_of_the_first():
    def result(sampler: str, steps: int, ssim: float) -> Result:
        values = {name: np.ones(8) for name in ("PSNR", "lips", "OFM", "sharpness")}
        values["SSIM"] = np.full(8, ssim)
        return Result(f"{sampler}:{steps}", steps, steps / 10, values, None)

    results = [result("ancestral", 200, 0.7), result("dpm", 4, 0.6), result("ddim", 10, 0.7)]
    results.append(result("ancestral", 20, 0.8))
    assert cheapest(results) is results[2]
    assert row(results[1], results[0])[:3] == ["dpm:4", "4", "1.000"]
    assert row(results[1], results[0])[-3] == "0.600 ↓"
    assert row(results[2], results[0])[-3] == "0.700"


class Lips:
    """A tracker that finds lips as open as a frame is bright."""

    name = "lips"

    def track(self, frames) -> Track:
        points = np.zeros((len(frames), 68, 2), np.float32)
        points[:, 66, 1] = [frame.mean() for frame in frames]
        points[:, 45, 0] = 1000
        return Track(points, 1)


def test_a_perfect_copy_and_a_still_one():
    rng = np.random.default_rng(2)
    base = rng.integers(60, 180, (32, 32, 3))
    real = [np.roll(base + 5 * (k % 4), k, 1).astype(np.uint8) for k in range(12)]
    copied = measure([real], [real], Lips())
    assert {name: pytest.approx(float(v[0])) for name, v in copied.items()} == {
        "SSIM": 1, "PSNR": 100, "lips": 1, "OFM": 1, "sharpness": 1,
    }  # fmt: skip
    still = measure([[real[0]] * 12], [real], Lips())
    assert float(still["lips"][0]) == 0
    assert float(still["OFM"][0]) == pytest.approx(0, abs=1e-3)
    assert float(still["SSIM"][0]) < 0.9
