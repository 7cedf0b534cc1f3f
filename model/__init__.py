"""From shards to a checkpoint to a video (dh-train, dh-sample).

    from model import RunOptions, generate, load_model, preset, train

    train(RunOptions(Path("data"), Path("run"), preset("tiny")))
    model = load_model("run/")
    for frame in generate("face.jpg", "speech.wav", model):
        frame  # (S, S, 3) uint8 RGB, 25 a second

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

import lazy_loader

import pipeline as pipeline  # before torch: how threads wait

if TYPE_CHECKING:
    from model.config.overrides import override as override
    from model.config.presets import preset as preset
    from model.sampling.api import generate as generate
    from model.sampling.api import load_model as load_model
    from model.sampling.sample_config import SampleConfig as SampleConfig
    from model.training.loop import train as train
    from model.training.run_options import RunOptions as RunOptions

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "config.overrides": ["override"],
        "config.presets": ["preset"],
        "sampling.api": ["generate", "load_model"],
        "sampling.sample_config": ["SampleConfig"],
        "training.loop": ["train"],
        "training.run_options": ["RunOptions"],
    },
)
