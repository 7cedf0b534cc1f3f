"""What tests of training share: small runs, and what they leave."""

from dataclasses import replace
from pathlib import Path

import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from model.checkpoints.checkpoint import load_talking_head
from model.config.presets import Preset
from model.training.run_options import RunOptions


def options(data: Path, out: Path, preset: Preset, **changes: object) -> RunOptions:
    given = RunOptions(
        data, out, preset, device="cpu", loaders=0, log_every=1, save_every=1000, strip_every=0
    )
    return replace(given, **changes)


def curves(run: Path) -> dict[str, dict[int, float]]:
    """Every TensorBoard curve of a run, {name: {step: value}}."""
    events = EventAccumulator(str(run / "tensorboard"))
    events.Reload()
    return {
        name: {event.step: event.value for event in events.Scalars(name)}
        for name in events.Tags()["scalars"]
    }


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_talking_head(path, torch.device("cpu"))[0].state_dict()
