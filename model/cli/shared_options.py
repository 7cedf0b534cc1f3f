"""Options that several commands have, as typer reads them.

Nothing here imports torch: `--help` is to come at once.
"""

from pathlib import Path
from typing import Annotated

import typer

from model.config.choices import Device, Precision

CHECKPOINT_HELP = (
    "A run's folder (its last checkpoint), a .safetensors file, or a checkpoint of the authors "
    "(Lightning .ckpt, TorchScript demo .pt); or base, the published model, which is looked for in "
    "your folder of pretrained files."
)

CheckpointOption = Annotated[Path, typer.Option(help=CHECKPOINT_HELP)]
DeviceOption = Annotated[Device, typer.Option(help="auto takes CUDA, else MPS, else the CPU.")]
PrecisionOption = Annotated[
    Precision, typer.Option(help="auto takes bf16 where the processor computes in it.")
]
WeightsOption = Annotated[Path | None, typer.Option(help="Your folder of pretrained files.")]


def new_app() -> typer.Typer:
    """A command's application; exceptions show no values, which may be private."""
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_show_locals=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        rich_markup_mode="markdown",  # paragraphs flow to the terminal's width
    )
