"""dh-sample on the command line."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from model.app.limits import PageLimits
from model.cli.live import live_app
from model.cli.shared_options import (
    CheckpointOption,
    DeviceOption,
    PrecisionOption,
    WeightsOption,
    new_app,
)
from model.sampling.sample_config import OutputOptions, SampleConfig
from pipeline.command_options import dataclass_options
from pipeline.errors import UserError, run_command

sample_app = new_app()
serve_app = new_app()


@sample_app.command(
    epilog="dh-sample serve --help: a page on this machine instead of files. dh-sample live "
    "--help: a face that talks while you speak."
)
@dataclass_options
def sample_command(
    *,
    checkpoint: CheckpointOption,
    out: Annotated[
        Path,
        typer.Option(
            help="The file to write; a folder with --pairs or --format png; a .safetensors file "
            "alone: the model."
        ),
    ],
    face: Annotated[Path | None, typer.Option(help="A picture or a video with one face.")] = None,
    which_face: Annotated[
        str,
        typer.Option(help="Of several: largest, left, right, or an index from 0, the leftmost."),
    ] = "largest",
    speech: Annotated[Path | None, typer.Option(help="A recording, any container.")] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            help="Instead of one face: a CSV with face,speech[,name], or a folder in which a face "
            "and a recording of one name are a pair."
        ),
    ] = None,
    format_name: Annotated[
        Literal["mp4", "webm", "gif", "png"] | None,
        typer.Option(
            "--format",
            help="png is a folder of frames; gif has no sound.",
            show_default="the suffix of --out, else mp4",
        ),
    ] = None,
    output: OutputOptions,
    config: SampleConfig,
    seed: Annotated[int, typer.Option(help="Of the noise; each video of --pairs adds one.")] = 0,
    batch: Annotated[int, typer.Option(min=1, help="Videos made side by side.")] = 8,
    workers: Annotated[
        int, typer.Option(min=1, help="Processes, with --pairs, each with a model of its own.")
    ] = 1,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    weights_dir: WeightsOption = None,
) -> None:
    """Makes a face talk: a picture and a recording to an H.264 + AAC video.

    The face is found and aligned as the training clips were. The video carries the recording's
    own sound and says in its metadata that it is synthetic; frames are written as they come. With
    --pairs, videos that are there already are kept, and a pair that cannot be used is named (exit
    code 1).

    With no face, and an --out that ends in .safetensors, the checkpoint's model is written there
    instead: the authors' files become ours, and ours lose what only their training needs.
    """
    from model.checkpoints.checkpoint import resolve
    from model.checkpoints.transfer import convert
    from model.sampling.batch import SampleRun, run_here, run_on_workers
    from model.sampling.jobs import plan_jobs

    if out.suffix == ".safetensors" and face is None and speech is None and pairs is None:
        info = convert(resolve(checkpoint, weights_dir), out)
        unet = info.preset.unet
        motion = f"{unet.motion_frames} {'RGB' if unet.motion_channels == 3 else 'grey'}"
        print(
            f"wrote {out} and {out.stem}.json: preset {info.preset.name}, {unet.image_size} x "
            f"{unet.image_size}, {motion} motion frames, {info.speech.name} speech"
        )
        return
    if output.paste_back and output.compare:
        raise UserError("--paste-back and --compare exclude each other; make two videos")
    jobs = plan_jobs(
        face, speech, pairs, out, format_name=format_name, preview=output.preview, seed=seed
    )
    if not jobs:
        return
    run = SampleRun(
        resolve(checkpoint, weights_dir),
        config,
        output,
        device=device,
        precision=precision,
        weights_dir=weights_dir,
        batch=batch,
        single=pairs is None,
        which_face=which_face,
    )
    if workers > 1 and len(jobs) > 1:
        outcomes = run_on_workers(run, jobs, workers)
    else:
        outcomes = run_here(run, jobs)
    failed = 0
    for path, error in outcomes:
        if error:
            print(f"failed {path.name}: {error}", file=sys.stderr)
            failed += 1
        else:
            print(f"wrote {path}")
    if failed:
        raise typer.Exit(1)


@serve_app.command()
@dataclass_options
def serve_command(
    *,
    checkpoint: CheckpointOption,
    host: Annotated[
        str, typer.Option(help="Address to listen on; anything but loopback lets others in.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 7860,
    max_megabytes: Annotated[int, typer.Option(min=1, help="Largest upload.")] = PageLimits.upload
    >> 20,
    max_seconds: Annotated[
        int, typer.Option(min=1, help="Longest recording.")
    ] = PageLimits.seconds,
    config: SampleConfig,
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    weights_dir: WeightsOption = None,
) -> None:
    """A page on this machine: drop a face and a recording, see progress, play the video."""
    from model.app.server import serve
    from model.checkpoints.checkpoint import resolve
    from model.sampling.batch import SampleRun

    run = SampleRun(
        resolve(checkpoint, weights_dir),
        config,
        OutputOptions(),
        device=device,
        precision=precision,
        weights_dir=weights_dir,
    )
    serve(run, host, port, PageLimits(max_megabytes << 20, max_seconds))


def sample_main() -> None:
    """The command dh-sample."""
    apps = {"serve": serve_app, "live": live_app}
    if (name := sys.argv[1:2]) and name[0] in apps:
        sys.argv = [f"{sys.argv[0]} {name[0]}", *sys.argv[2:]]
        run_command(apps[name[0]])
    else:
        run_command(sample_app)
