"""dh-bench generate and methods: the test protocol with our model or with another system."""

import shlex
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.systems.protocol_options import MethodOptions, ProtocolClips
from model.config.choices import Device, Precision
from model.sampling.sample_config import SampleConfig
from pipeline.command_options import dataclass_options
from pipeline.errors import UserError

OURS = "ours"
_OURS = "With --method ours"


@dataclass_options
def generate_command(
    *,
    data: Annotated[Path, typer.Option(help="A data set made by dh-prep run.")],
    out: Annotated[
        Path, typer.Option(help="Folder of the videos; new, or of the same run to be continued.")
    ],
    method: Annotated[
        str,
        typer.Option(
            help="ours, a system that dh-bench methods lists, or the path of a .toml file that "
            "describes one."
        ),
    ] = OURS,
    chosen: ProtocolClips,
    seed: Annotated[int, typer.Option(help="Of the noise, and of driving clips.")] = 0,
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="A checkpoint as dh-sample takes it.", rich_help_panel=_OURS),
    ] = None,
    sampling: SampleConfig,
    batch: Annotated[
        int, typer.Option(min=1, help="Clips drawn side by side.", rich_help_panel=_OURS)
    ] = 8,
    device: Annotated[
        Device,
        typer.Option(help="Where the network runs; auto takes CUDA, else MPS, else the CPU."),
    ] = "auto",
    precision: Annotated[
        Precision,
        typer.Option(
            help="Arithmetic of the network; auto takes bf16 where the processor computes in it."
        ),
    ] = "auto",
    other: MethodOptions,
) -> None:
    """The paper's test protocol: a video from the first frame and the speech of every test clip.

    Writes OUT/CLIP.mp4 with the clip's own sound (CLIP.mkv without loss by --format mkv: the floor
    of MP4 is what dh-bench encoded measures), ready for dh-bench score, and the recipe beside
    them. Videos that are there already are kept: the same command carries on where it stopped.

    Another system runs in a working folder of its own for each clip; your clone stays as it is.
    What it prints is in OUT/logs, the clips that failed are in OUT/failures.json.

    Exit code: 0 all clips have a video, 1 some failed, 2 wrong use.
    """
    before = len(list(out.glob(f"*.{chosen.format}")))
    if method == OURS:
        from benchmarks.systems.our_model import DrawingOptions, generate_clips

        if checkpoint is None:
            raise UserError("--method ours draws with a model of ours; name it with --checkpoint")
        sampling = replace(sampling, seed=seed, precision=precision)
        options = DrawingOptions(chosen, batch, device, sampling)
        written, failed = len(list(generate_clips(data, checkpoint, out, options))), 0
    else:
        from benchmarks.systems.other_system import generate_with

        if checkpoint is not None:
            raise UserError("--checkpoint is for --method ours; another system takes --weights")
        made = list(generate_with(method, data, out, replace(other, clips=chosen, seed=seed)))
        for one in made:
            if one.reason:
                log = out / "logs" / f"{one.key}.log"
                print(f"failed {one.key}: {one.reason}{f'; see {log}' if log.exists() else ''}")
        failed = sum(bool(one.reason) for one in made)
        written = len(made) - failed
    already = f", {before} were there already" if before else ""
    print(f"wrote {written} videos to {out}{already}")
    if written or before:
        words = shlex.join(["--real", str(data), "--fake", str(out), "--split", chosen.split])
        print(f"next: dh-bench score {words} --out scores.json")
    if failed:
        raise typer.Exit(1)


def methods_command() -> None:
    """The systems that dh-bench generate knows: what each needs, and what is not as published."""
    from rich.console import Console

    from benchmarks.systems.method_file import known_methods, read_method

    console = Console(highlight=False)
    for name, path in known_methods().items():
        method = read_method(path)
        console.print(f"[bold]{name}[/bold]  {method.name}")
        for need in method.needs:
            text = f"  needs {need.path}: {need.what}\n    {need.where}"
            console.print(text, markup=False, soft_wrap=True)
        if method.input.driving != "none":
            console.print(f"  driving video: {method.input.driving} clip", markup=False)
        for line in method.note.split("\n\n"):
            console.print(f"  {' '.join(line.split())}", markup=False, style="dim", soft_wrap=True)
        console.print(f"  {path}", markup=False, style="dim", soft_wrap=True)
