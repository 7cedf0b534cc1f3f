"""Models that have learned nothing, their checkpoints, and recordings of noise, for tests."""

import copy
from pathlib import Path

import numpy as np
import torch

from model.checkpoints.checkpoint import CheckpointInfo, TrainingState, save
from model.config.presets import Preset
from model.network.talking_head import SpeechFormat, TalkingHead
from pipeline.media.audio import wav_bytes


def untrained(
    preset: Preset, speech: SpeechFormat, *, seed: int = 0, scale: float = 0.05
) -> TalkingHead:
    """A model with normal weights, none of them zero, in eval mode."""
    torch.manual_seed(seed)
    model = TalkingHead(preset, speech)
    with torch.no_grad():  # layers that begin at zero would hide everything
        for parameter in model.parameters():
            parameter.normal_(0, scale)
    return model.eval()


def write_untrained(path: Path, preset: Preset, speech: SpeechFormat) -> None:
    """A checkpoint of an untrained model at step 1."""
    model = untrained(preset, speech)
    state = TrainingState(model, copy.deepcopy(model), torch.optim.Adam(model.parameters()), 1)
    save(path, state, CheckpointInfo(preset, speech, 1, 0))


def write_noise(path: Path, samples: int, rng: np.random.Generator) -> None:
    """A mono recording of noise at 16 kHz."""
    path.write_bytes(wav_bytes(rng.normal(0, 3000, samples).astype("<i2")))
