"""Checkpoints of networks that have learned nothing, and recordings of noise, for tests."""

from __future__ import annotations

import copy
import wave
from typing import TYPE_CHECKING

import torch

from model.checkpoints.checkpoint import CheckpointInfo, TrainingState, save
from model.network.talking_head import SpeechFormat, TalkingHead

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np

    from model.config.presets import Preset


def write_untrained(path: Path, preset: Preset, speech: SpeechFormat) -> None:
    """A checkpoint at step 1 with random weights, none of them zero."""
    torch.manual_seed(0)
    model = TalkingHead(preset, speech)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(0, 0.05)
    state = TrainingState(model, copy.deepcopy(model), torch.optim.Adam(model.parameters()), 1)
    save(path, state, CheckpointInfo(preset, speech, 1, 0))


def write_noise(path: Path, samples: int, rng: np.random.Generator) -> None:
    """A mono recording of noise at 16 kHz."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(rng.normal(0, 3000, samples).astype("<i2").tobytes())
