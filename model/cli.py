"""dh-train and dh-sample on the command line."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.errors import UserError, run_command

if TYPE_CHECKING:
    from model.generate import SampleConfig
    from model.network import TalkingHead
    from model.presets import Preset
    from model.talk import Job, Ready

Device = Literal["auto", "cpu", "cuda", "mps"]
PrecisionName = Literal["auto", "bf16", "float32"]

_CONTEXT = {"help_option_names": ["-h", "--help"]}
train_app = typer.Typer(
    add_completion=False, pretty_exceptions_show_locals=False, context_settings=_CONTEXT
)
sample_app = typer.Typer(
    add_completion=False, pretty_exceptions_show_locals=False, context_settings=_CONTEXT
)

_DeviceOption = Annotated[Device, typer.Option(help="auto takes CUDA, else MPS, else the CPU.")]
_PrecisionOption = Annotated[
    PrecisionName, typer.Option(help="auto takes bf16 where the processor computes in it.")
]


@train_app.command()
def train_command(
    *,
    data: Annotated[Path, typer.Option(help="A data set made by dh-prep run.")],
    out: Annotated[Path, typer.Option(help="The run's folder: checkpoints, curves, strips.")],
    preset: Annotated[
        str,
        typer.Option(
            help="tiny: 64 x 64, minutes on two cores. grid: one speaker, 128 x 128. "
            "crema, lrw: the paper's."
        ),
    ] = "tiny",
    steps: Annotated[
        int | None, typer.Option(help="Optimiser steps.", show_default="the preset's")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Frames a step.", show_default="the preset's")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Carry on from the last checkpoint.")
    ] = False,
    init_from: Annotated[
        Path | None,
        typer.Option(help="Begin with the weights of a checkpoint, ours or the authors'."),
    ] = None,
    device: _DeviceOption = "auto",
    precision: _PrecisionOption = "auto",
    memory_format: Annotated[
        Literal["auto", "contiguous", "channels_last"],
        typer.Option(help="auto takes what measured faster."),
    ] = "auto",
    compile_: Annotated[
        bool, typer.Option("--compile", help="Let torch.compile fuse the network.")
    ] = False,
    accumulate: Annotated[
        int, typer.Option(min=1, help="Parts that a batch is computed in, to save memory.")
    ] = 1,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes that train together, through Ray Train.")
    ] = 1,
    address: Annotated[
        str | None,
        typer.Option(help="Of a Ray cluster whose machines see the folders."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of weights, noise and order.")] = 0,
    loaders: Annotated[int, typer.Option(min=0, help="Processes that read ahead.")] = 1,
    log_every: Annotated[int, typer.Option(min=1, help="Steps between status lines.")] = 20,
    save_every: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 500,
    keep: Annotated[
        int, typer.Option(min=0, help="How many of the last checkpoints stay; 0: all.")
    ] = 3,
    strip_every: Annotated[
        int, typer.Option(min=0, help="Steps between strips of sampled frames; 0 is never.")
    ] = 500,
) -> None:
    """Trains a talking-head model on a data set.

    Ctrl-C saves a checkpoint; the same command with --resume carries on.
    """
    from model.presets import preset as named
    from model.ray_train import train_on_ray
    from model.run import RunOptions, checkpoint_path
    from model.train import train

    chosen = named(preset)
    for name, value in (("steps", steps), ("batch_size", batch_size)):
        if value is not None and value < 1:
            raise UserError(f"--{name.replace('_', '-')} must be 1 or more, not {value}")
    recipe = replace(
        chosen.train,
        steps=steps or chosen.train.steps,
        batch_size=batch_size or chosen.train.batch_size,
        accumulate=accumulate,
    )
    options = RunOptions(
        data=data,
        out=out,
        preset=replace(chosen, train=recipe),
        resume=resume,
        init_from=init_from,
        device=device,
        precision=precision,
        memory_format=memory_format,
        compile=compile_,
        seed=seed,
        loaders=loaders,
        log_every=log_every,
        save_every=save_every,
        keep=keep,
        strip_every=strip_every,
    )

    def report(line: str) -> None:
        print(line, flush=True)

    if workers > 1 or address:
        path = train_on_ray(options, report, workers=workers, address=address)
    else:
        path = train(options, report)
    if path != checkpoint_path(out, recipe.steps):
        print("stopped before the last step; the same command with --resume carries on")
    print(f"saved {path}")


@sample_app.command()
def sample_command(
    *,
    checkpoint: Annotated[
        Path,
        typer.Option(
            help="A run's folder (its last checkpoint), a .safetensors file, or a checkpoint of "
            "the authors (Lightning .ckpt, TorchScript demo .pt)."
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            help="The mp4 to write; a folder with --pairs; a .safetensors file alone: the model."
        ),
    ],
    face: Annotated[Path | None, typer.Option(help="A picture or a video with one face.")] = None,
    speech: Annotated[Path | None, typer.Option(help="A recording, any container.")] = None,
    pairs: Annotated[
        Path | None, typer.Option(help="Instead of one face: a CSV with face,speech[,name].")
    ] = None,
    sampler: Annotated[
        Literal["ddim", "dpm", "ancestral"],
        typer.Option(help="ancestral is the paper's, with --steps 200."),
    ] = "ddim",
    steps: Annotated[int, typer.Option(min=1, max=1000, help="Network calls a frame.")] = 10,
    seed: Annotated[int, typer.Option(help="Of the noise; each video of --pairs adds one.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Videos made side by side.")] = 8,
    device: _DeviceOption = "auto",
    precision: _PrecisionOption = "auto",
    weights_dir: Annotated[
        Path | None, typer.Option(help="Your folder of pretrained files.")
    ] = None,
) -> None:
    """Makes a face talk: a picture and a recording to an H.264 + AAC video.

    The face is found and aligned as the training clips were. The video carries the recording's
    own sound and says in its metadata that it is synthetic. With --pairs, videos that are there
    already are kept, and a pair that cannot be used is named (exit code 1).

    With no face, and an --out that ends in .safetensors, the checkpoint's model is written there
    instead: the authors' files become ours, and ours lose what only their training needs.
    """
    from model.checkpoint import load_model, resolve
    from model.device import choose_device, choose_precision
    from model.generate import SampleConfig
    from model.talk import features_of, make_ready
    from pipeline.landmarks import MediaPipeTracker
    from pipeline.weights import locate

    if out.suffix == ".safetensors" and face is None and speech is None and pairs is None:
        _convert(checkpoint, out)
        return
    jobs = _jobs(face, speech, pairs, out, seed)
    chosen = choose_device(device)
    model, info = load_model(resolve(checkpoint), chosen)
    config = SampleConfig(
        sampler=sampler, steps=steps, precision=choose_precision(precision, chosen)
    )
    featurise = features_of(info.speech, weights_dir)
    tracker = MediaPipeTracker(locate("face_landmarker.task", weights_dir))
    failed = 0
    for begin in range(0, len(jobs), batch):
        ready: list[Ready] = []
        seeds: list[int] = []
        for number, job in jobs[begin : begin + batch]:
            try:
                ready.append(make_ready(job, tracker, info.preset, featurise))
                seeds.append(number)
            except UserError as error:
                if pairs is None:
                    raise
                print(f"failed {job.out.name}: {error}", file=sys.stderr)
                failed += 1
        if ready:
            _talk(model, info.preset, ready, config, seeds)
    if failed:
        raise typer.Exit(1)


def _convert(checkpoint: Path, out: Path) -> None:
    """Writes the model of a checkpoint as one of ours, and says what it is."""
    from model.transfer import convert

    info = convert(checkpoint, out)
    unet = info.preset.unet
    motion = "RGB" if unet.motion_channels == 3 else "grey"
    print(
        f"wrote {out} and {out.stem}.json: preset {info.preset.name}, {unet.image_size} x "
        f"{unet.image_size}, {unet.motion_frames} {motion} motion frames, {info.speech.name} speech"
    )


def _jobs(
    face: Path | None, speech: Path | None, pairs: Path | None, out: Path, seed: int
) -> list[tuple[int, Job]]:
    """What is still to make, each with the seed that its place in the list gives it."""
    from model.talk import Job, read_jobs

    if pairs is not None and face is None and speech is None:
        numbered = enumerate(read_jobs(pairs, out), start=seed)
        jobs = [(number, job) for number, job in numbered if not job.out.exists()]
    elif pairs is None and face is not None and speech is not None:
        if out.exists():
            raise UserError(f"{out} exists already; take another name or move it away")
        jobs = [(seed, Job(face, speech, out))]
    else:
        raise UserError("give either --face and --speech, or --pairs")
    for _, job in jobs:
        _check_out(job.out)
    return jobs


def _talk(
    model: TalkingHead,
    preset: Preset,
    ready: list[Ready],
    config: SampleConfig,
    seeds: list[int],
) -> None:
    """Makes one batch of videos behind a progress bar, and names them."""
    from model.talk import talk
    from pipeline.progress import progress

    with progress("frames", sum(len(one.speech) for one in ready)) as step:

        def count(frames: int) -> None:
            for _ in range(frames):
                step()

        talk(model, preset, ready, config, seeds=seeds, progress=count)
    for one in ready:
        print(f"wrote {one.job.out}")


def _check_out(path: Path) -> None:
    """Tells before the work what would keep a video from being written after it."""
    if path.suffix.lower() != ".mp4":
        raise UserError(f"--out must end in .mp4 (or be a folder with --pairs), not {path}")
    if any(parent.is_file() for parent in path.parents):
        raise UserError(f"cannot write {path}: a folder in it is a file")


def train_main() -> None:
    """The command dh-train."""
    run_command(train_app)


def sample_main() -> None:
    """The command dh-sample."""
    run_command(sample_app)
