"""The speed of loader and training step: small runs of the scripts, and what they count."""

import numpy as np
import pytest
import torch

from benchmarks.speed.training import Step, VideoFiles, Way, random_batch
from model.config.presets import preset
from pipeline.media import write_video


def test_video_files_give_the_frames_they_are_asked_for(tmp_path):
    """Frame k of the video is as bright as 8 k, so that it tells its place."""
    frames = [np.full((64, 64, 3), 8 * k, np.uint8) for k in range(24)]
    write_video(tmp_path / "ramp.mp4", frames)
    speech = np.arange(24 * 234, dtype=np.float32).reshape(24, 234)
    item = VideoFiles([(str(tmp_path / "ramp.mp4"), speech)], 64, 10)[3]
    before, last, target, _ = (item["frames"].float().mean((1, 2, 3)) / 8).tolist()
    assert (target - last, last - before) == (pytest.approx(1, abs=0.3), pytest.approx(1, abs=0.3))
    assert item["speech"].flatten()[0] == pytest.approx(234 * round(before), abs=1)


@pytest.mark.slow
def test_the_operations_are_counted():
    """Three times the forward pass and a little less, since nothing before the stem wants any."""
    chosen = preset("tiny")
    way, device = Way("plain", "float32", torch.contiguous_format), torch.device("cpu")
    step = Step(way, chosen, random_batch(chosen, 2, device))
    one = step.flops()
    forward = sum(
        2 * m.in_channels * m.out_channels * m.kernel_size[0] ** 2
        for m in step.model.unet.modules()
        if isinstance(m, torch.nn.Conv2d)
    )
    assert one > 2 * forward  # every convolution is used at more than one place
    assert Step(way, chosen, random_batch(chosen, 1, device)).flops() == one // 2
