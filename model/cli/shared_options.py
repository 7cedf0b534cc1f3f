"""Options that several commands have, as typer reads them: their words, limits and help.

Nothing here imports torch: `--help` is to come at once.
"""

from __future__ import annotations

from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model.config.choices import Device, Precision, SamplerChoice, StartChoice

if TYPE_CHECKING:
    from typer.models import OptionInfo

CONTEXT = {"help_option_names": ["-h", "--help"]}


def in_panel(option: OptionInfo, panel: str) -> Any:
    """The same option under a heading of its own in `--help`."""
    moved = copy(option)
    moved.rich_help_panel = panel
    return moved


# --- where a network computes ---------------------------------------------------------------------

DEVICE: OptionInfo = typer.Option(help="auto takes CUDA, else MPS, else the CPU.")
PRECISION: OptionInfo = typer.Option(help="auto takes bf16 where the processor computes in it.")
DeviceOption = Annotated[Device, DEVICE]
PrecisionOption = Annotated[Precision, PRECISION]

# --- what draws, and how --------------------------------------------------------------------------

CHECKPOINT: OptionInfo = typer.Option(
    help="A run's folder (its last checkpoint), a .safetensors file, or a checkpoint of the "
    "authors (Lightning .ckpt, TorchScript demo .pt)."
)
SAMPLER: OptionInfo = typer.Option(
    help="auto is the cheapest that measured as good as 200 ancestral steps: dpm in 6 calls a "
    "frame; for checkpoints that predict the noise, as the authors' do, sde in 10 from the "
    "frame before (benchmarks/speed/RESULTS.md, Samplers). ancestral is the paper's."
)
STEPS: OptionInfo = typer.Option(
    min=1,
    max=1000,
    help="Network calls a frame.",
    show_default="the sampler's: dpm 6, ddim and sde 10, ancestral 200",
)
START: OptionInfo = typer.Option(
    help="previous: each frame begins at the one before, made noisy. auto does so for "
    "checkpoints that predict the noise, except with the sampler ancestral."
)
NOISE_CORRELATION: OptionInfo = typer.Option(
    min=0,
    max=1,
    help="Of a frame's noise with that of the frame before: more is less flicker, 1 freezes the "
    "head.",
    show_default="0.8 of dpm and ddim that start at noise, else 0",
)
REANCHOR: OptionInfo = typer.Option(
    min=0,
    help="Show the network the identity frame again every so many frames, against drift; the "
    "authors' is 15, 0 is never.",
)
CheckpointOption = Annotated[Path, CHECKPOINT]
SamplerOption = Annotated[SamplerChoice, SAMPLER]
StepsOption = Annotated[int | None, STEPS]
StartOption = Annotated[StartChoice, START]
NoiseCorrelationOption = Annotated[float | None, NOISE_CORRELATION]
ReanchorOption = Annotated[int, REANCHOR]
CompileOption = Annotated[
    bool, typer.Option("--compile", help="Fuse the network: minutes at first, faster then.")
]
WeightsOption = Annotated[Path | None, typer.Option(help="Your folder of pretrained files.")]
