"""dh-bench generate: the test protocol with our model or with another system."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Literal

import typer


def generate_command(
    *,
    data: Annotated[Path, typer.Option(help="A data set made by dh-prep run.")],
    checkpoint: Annotated[
        Path, typer.Option(help="A run's folder (its last checkpoint), or a .safetensors file.")
    ],
    out: Annotated[
        Path, typer.Option(help="Folder of the videos; new, or of the same run to be continued.")
    ],
    split: Annotated[str, typer.Option(help="Split of the data set.")] = "test",
    max_frames: Annotated[
        int, typer.Option(min=0, help="Draw at most this many frames of a clip; 0 draws all.")
    ] = 100,
    clips: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many clips.", show_default="all")
    ] = None,
    sampler: Annotated[
        Literal["ddim", "dpm", "ancestral"],
        typer.Option(help="ancestral is the paper's, with --steps 200."),
    ] = "ddim",
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Network calls a frame.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the noise.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Clips drawn side by side.")] = 8,
    device: Annotated[
        Literal["auto", "cpu", "cuda", "mps"],
        typer.Option(help="auto takes CUDA, else MPS, else the CPU."),
    ] = "auto",
    precision: Annotated[
        Literal["auto", "bf16", "float32"],
        typer.Option(help="auto takes bf16 where the processor computes in it."),
    ] = "auto",
) -> None:
    """The paper's test protocol: a video from the first frame and the speech of every test clip.

    Writes OUT/CLIP.mp4 with the clip's own sound, ready for dh-bench score, and the recipe beside
    them. Videos that are there already are kept: the same command carries on where it stopped.
    """
    from benchmarks.protocol import ProtocolOptions, generate_clips

    options = ProtocolOptions(
        split, max_frames, clips, sampler, steps, seed, batch, device, precision
    )
    written = list(generate_clips(data, checkpoint, out, options))
    print(f"wrote {len(written)} videos to {out}")
    print(f"next: dh-bench score --real {data} --fake {out} --split {split} --out scores.json")
