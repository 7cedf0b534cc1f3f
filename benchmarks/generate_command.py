"""dh-bench generate and methods: the test protocol with our model or with another system."""

from __future__ import annotations

import shlex
from pathlib import Path  # noqa: TC003 - typer reads the annotations
from typing import Annotated, Literal

import typer

from model.cli import Device, PrecisionName  # noqa: TC001 - typer reads the annotations
from pipeline.errors import UserError

OURS = "ours"


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
    checkpoint: Annotated[
        Path | None,
        typer.Option(help="Of ours: a run's folder (its last checkpoint), or a .safetensors file."),
    ] = None,
    split: Annotated[str, typer.Option(help="Split of the data set.")] = "test",
    max_frames: Annotated[
        int, typer.Option(min=0, help="Draw at most this many frames of a clip; 0 draws all.")
    ] = 100,
    clips: Annotated[
        int | None, typer.Option(min=1, help="Only the first so many clips.", show_default="all")
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the noise, and of driving clips.")] = 0,
    sampler: Annotated[
        Literal["auto", "dpm", "ddim", "sde", "ancestral"],
        typer.Option(help="Of ours: see dh-sample --help. ancestral is the paper's."),
    ] = "auto",
    steps: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1000,
            help="Of ours: network calls a frame.",
            show_default="the sampler's: dpm 6, ddim and sde 10, ancestral 200",
        ),
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Of ours: clips drawn side by side.")] = 8,
    device: Annotated[
        Device,
        typer.Option(help="Of ours: auto takes CUDA, else MPS, else the CPU."),
    ] = "auto",
    precision: Annotated[
        PrecisionName,
        typer.Option(help="Of ours: auto takes bf16 where the processor computes in it."),
    ] = "auto",
    clone: Annotated[
        Path | None, typer.Option(help="Of another system: your clone of its repository.")
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(help="Of another system: your folder of its weights.", show_default="CLONE"),
    ] = None,
    python: Annotated[
        Path | None,
        typer.Option(
            help="Of another system: the Python of its environment.",
            show_default="CLONE/.venv/bin/python, else this one",
        ),
    ] = None,
    driving: Annotated[
        Literal["itself", "another"] | None,
        typer.Option(
            help="Of systems that take the pose from a video: the clip itself, or another one.",
            show_default="the method's",
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            min=1, help="Of another system: seconds for one clip.", show_default="the method's"
        ),
    ] = None,
    finished: Annotated[
        Path | None,
        typer.Option(
            help="Of another system: a folder of videos it made elsewhere, called like the clips. "
            "Nothing is run; they are cropped and cut to the protocol."
        ),
    ] = None,
) -> None:
    """The paper's test protocol: a video from the first frame and the speech of every test clip.

    Writes OUT/CLIP.mp4 with the clip's own sound, ready for dh-bench score, and the recipe beside
    them. Videos that are there already are kept: the same command carries on where it stopped.

    Another system runs in a working folder of its own for each clip; your clone stays as it is.
    What it prints is in OUT/logs, the clips that failed are in OUT/failures.json.

    Exit code: 0 all clips have a video, 1 some failed, 2 wrong use.
    """
    before = len(list(out.glob("*.mp4")))
    if method == OURS:
        from benchmarks.protocol import ProtocolOptions, generate_clips

        if checkpoint is None:
            raise UserError("--method ours draws with a model of ours; name it with --checkpoint")
        options = ProtocolOptions(
            split, max_frames, clips, sampler, steps or 0, seed, batch, device, precision
        )
        written, failed = len(list(generate_clips(data, checkpoint, out, options))), 0
    else:
        from benchmarks.other_systems import MethodOptions, generate_with

        if checkpoint is not None:
            raise UserError("--checkpoint is for --method ours; another system takes --weights")
        chosen = MethodOptions(
            clone, weights, python, finished, split, max_frames, clips, seed, timeout, driving
        )
        made = list(generate_with(method, data, out, chosen))
        for one in made:
            if one.reason:
                log = out / "logs" / f"{one.key}.log"
                print(f"failed {one.key}: {one.reason}{f'; see {log}' if log.exists() else ''}")
        failed = sum(bool(one.reason) for one in made)
        written = len(made) - failed
    already = f", {before} were there already" if before else ""
    print(f"wrote {written} videos to {out}{already}")
    if written or before:
        words = shlex.join(["--real", str(data), "--fake", str(out), "--split", split])
        print(f"next: dh-bench score {words} --out scores.json")
    if failed:
        raise typer.Exit(1)


def methods_command() -> None:
    """The systems that dh-bench generate knows: what each needs, and what is not as published."""
    from rich.console import Console

    from benchmarks.method_file import read_method
    from benchmarks.methods import known_methods

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
