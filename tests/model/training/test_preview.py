"""The strip: drawn frames above the real ones they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from model.config.presets import Preset
from model.training import preview
from model.training.preview import draw_strip
from pipeline.dataset.shards import read_samples

if TYPE_CHECKING:
    import pytest


def test_a_strip_of_a_test_clip(small: Preset, real_set: Path, monkeypatch: pytest.MonkeyPatch):
    given = []

    def echo(_denoiser, _preset, identities, speech, _config):
        """Draws frame k in the shade k."""
        given.append((identities, speech))
        for k in range(len(speech[0])):
            yield [np.full((32, 32, 3), k, np.uint8)]

    monkeypatch.setattr(preview, "make_denoiser", lambda *_: None)
    monkeypatch.setattr(preview, "generate_frames", echo)
    strip = draw_strip(torch.nn.Identity(), small, real_set, seed=0)
    sample = next(read_samples(real_set, "test"))
    ((identities, speech),) = given
    assert np.array_equal(identities[0], sample.frames[0])
    assert np.array_equal(speech[0], sample.speech[:24])
    assert strip.shape == (3, 64, 12 * 32)
    assert strip.dtype == torch.uint8
    for place in range(12):
        column = strip[:, :, 32 * place : 32 * (place + 1)].permute(1, 2, 0).numpy()
        assert (column[:32] == 2 * place).all()
        assert np.array_equal(column[32:], sample.frames[2 * place])


def test_without_a_test_split_and_with_a_short_clip(
    small: Preset, tmp_path: Path, drawn_sample, write_set, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(preview, "make_denoiser", lambda *_: None)
    monkeypatch.setattr(
        preview,
        "generate_frames",
        lambda *given: ([face] for face in [given[2][0]] * len(given[3][0])),
    )
    folder = write_set(tmp_path / "set", [("train", [drawn_sample("a", 5)])])
    strip = draw_strip(torch.nn.Identity(), small, folder, seed=0)
    assert strip.shape == (3, 64, 3 * 32)
