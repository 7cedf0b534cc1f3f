"""dh-sample on the command line."""

import sys
from typing import Annotated

import typer

from model.app.limits import PageLimits
from model.cli.live import live_app
from model.cli.new_app import new_app
from model.sampling.sample_config import (
    ModelOptions,
    OutputOptions,
    SampleConfig,
    VideoOptions,
)
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
    *, model: ModelOptions, videos: VideoOptions, output: OutputOptions, config: SampleConfig
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

    out = videos.out
    if out.suffix == ".safetensors" and not (videos.face or videos.speech or videos.pairs):
        info = convert(resolve(model.checkpoint, model.weights_dir), out)
        unet = info.preset.unet
        motion = f"{unet.motion_frames} {'RGB' if unet.motion_channels == 3 else 'grey'}"
        print(
            f"wrote {out} and {out.stem}.json: preset {info.preset.name}, {unet.image_size} x "
            f"{unet.image_size}, {motion} motion frames, {info.speech.name} speech"
        )
        return
    if output.paste_back and output.compare:
        raise UserError("--paste-back and --compare exclude each other; make two videos")
    jobs = plan_jobs(videos, preview=output.preview)
    if not jobs:
        return
    run = SampleRun(model, config, output, videos)
    many = videos.workers > 1 and len(jobs) > 1
    failed = 0
    for path, error in run_on_workers(run, jobs) if many else run_here(run, jobs):
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
    model: ModelOptions,
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
) -> None:
    """A page on this machine: drop a face and a recording, see progress, play the video."""
    from model.app.server import serve

    serve(model, config, host, port, PageLimits(max_megabytes << 20, max_seconds))


def sample_main() -> None:
    """The command dh-sample."""
    apps = {"serve": serve_app, "live": live_app}
    if (name := sys.argv[1:2]) and name[0] in apps:
        sys.argv = [f"{sys.argv[0]} {name[0]}", *sys.argv[2:]]
        run_command(apps[name[0]])
    else:
        run_command(sample_app)
