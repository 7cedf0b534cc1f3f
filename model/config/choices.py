"""Values that options can have by name; nothing here imports torch, so that `--help` is quick."""

from typing import Literal

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "bf16", "float32"]
MemoryFormat = Literal["auto", "contiguous", "channels_last"]
SamplerName = Literal["ancestral", "ddim", "dpm", "sde"]
SamplerChoice = Literal["auto", "ancestral", "ddim", "dpm", "sde"]
StartChoice = Literal["auto", "noise", "previous"]
FormatName = Literal["mp4", "webm", "gif", "png"]
TrackerName = Literal["tensorboard", "wandb", "mlflow", "none"]
