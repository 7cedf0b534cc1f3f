"""Lists of videos: made batch by batch in this process, or in several through Ray."""

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

from model.checkpoints.checkpoint import CheckpointInfo, is_released, load_talking_head, read_info
from model.config.choices import Precision
from model.device import choose_device, choose_precision
from model.sampling.autoregressive import make_denoiser
from model.sampling.denoiser import FrameDenoiser
from model.sampling.inputs import VideoInputs, features_of, read_inputs
from model.sampling.jobs import Job
from model.sampling.sample_config import OutputOptions, SampleConfig, choose_sampler
from model.sampling.talking_video import make_videos
from pipeline.errors import UserError
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.parallel.tasks import run_on_ray
from pipeline.progress import Advance, progress
from pipeline.speech.features import Featurise
from pipeline.weights import locate

Outcome = tuple[Path, UserError | None]  # a video, and what kept it from being made


@dataclass(frozen=True)
class SampleRun:
    """What all videos of a command share."""

    checkpoint: Path  # the .safetensors file, or one of the authors'
    # how frames are drawn; its precision is replaced by what `precision` chooses, its sampler by
    # what `auto` is
    config: SampleConfig
    output: OutputOptions  # what is written besides or around the frames
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Precision = "auto"
    weights_dir: Path | None = None  # the user's folder of pretrained files
    batch: int = 8  # videos made side by side
    single: bool = False  # there is one pair only: if it cannot be used, the error is raised
    which_face: str = "largest"  # of several in a picture, see `model.sampling.inputs.read_face`


@dataclass(frozen=True)
class LoadedModel:
    """A run with its networks in memory."""

    run: SampleRun  # the run, its precision and sampler chosen
    info: CheckpointInfo  # of the checkpoint
    denoiser: FrameDenoiser  # see `model.sampling.autoregressive.make_denoiser`
    tracker: MediaPipeTracker  # finds faces
    featurise: Featurise  # computes the speech features that the model takes


def load(run: SampleRun) -> LoadedModel:
    """Loads what makes videos.

    Raises:
        UserError: the checkpoint, the device or the authors' speech encoder cannot be used.
    """
    device = choose_device(run.device)
    model, info = load_talking_head(run.checkpoint, device)
    config = replace(run.config, precision=choose_precision(run.precision, device))
    config = choose_sampler(config, info.preset.diffusion)
    featurise = features_of(info.speech, run.weights_dir)
    tracker = MediaPipeTracker(locate("face_landmarker.task", run.weights_dir))
    denoiser = make_denoiser(model, info.preset, config)
    return LoadedModel(replace(run, config=config), info, denoiser, tracker, featurise)


def run_here(run: SampleRun, jobs: Sequence[Job]) -> Iterator[Outcome]:
    """Makes videos in this process behind a progress bar."""
    loaded = load(run)
    for begin in range(0, len(jobs), run.batch):
        yield from _make_batch(loaded, jobs[begin : begin + run.batch], show_progress=True)


def video_maker(run: SampleRun, threads: int) -> Callable[[Sequence[Job]], Iterator[Outcome]]:
    """What a Ray process does: it loads the run once and makes batches of videos with it."""
    import torch

    torch.set_num_threads(threads)
    return partial(_make_batch, load(run))


def _make_batch(
    loaded: LoadedModel, jobs: Sequence[Job], *, show_progress: bool = False
) -> Iterator[Outcome]:
    """Makes videos side by side; a pair that cannot be used is left out of the batch."""
    run, preset = loaded.run, loaded.info.preset
    ready: list[VideoInputs] = []
    for job in jobs:
        try:
            inputs = read_inputs(job, loaded.tracker, preset, loaded.featurise, run.which_face)
            ready.append(inputs)
            if inputs.face.faces > 1 and run.which_face == "largest":
                count = f"{inputs.face.faces} faces, of which the largest talks"
                print(f"note   {job.face.name}: {count}; see --which-face", file=sys.stderr)
        except Exception as error:
            if run.single:
                raise
            yield job.out, _reason(error)
    total = sum(len(one.speech) for one in ready)
    bar: AbstractContextManager[Advance] = (
        progress("frames", total) if show_progress and ready else nullcontext(lambda _="": None)
    )
    with bar as step:
        yield from _draw(loaded, ready, step)


def _draw(loaded: LoadedModel, ready: list[VideoInputs], step: Advance) -> Iterator[Outcome]:
    """Draws videos side by side; where one of them ends the batch, each by itself."""

    def count(frames: int) -> None:
        for _ in range(frames):
            step()

    try:
        if ready:
            make_videos(
                loaded.denoiser,
                loaded.info.preset,
                ready,
                loaded.run.config,
                output=loaded.run.output,
                tracker=loaded.tracker,
                progress=count,
            )
    except Exception as error:
        if loaded.run.single:
            raise
        if len(ready) == 1:
            yield ready[0].job.out, _reason(error)
            return
        for one in ready:
            yield from _draw(loaded, [one], step)
    else:
        yield from ((one.job.out, None) for one in ready)


def _reason(error: Exception) -> UserError:
    """Why a video of a list was not made; a fault of ours is shown with its traceback too."""
    if isinstance(error, UserError):
        return error
    traceback.print_exception(error)
    return UserError(f"{type(error).__name__}: {error}")


def run_on_workers(run: SampleRun, jobs: Sequence[Job], workers: int) -> Iterator[Outcome]:
    """Makes videos in several processes of a Ray session, each with a model of its own.

    Batches are made smaller where there are few videos, so that every process has work.

    Raises:
        UserError: the checkpoint or the device cannot be used, or a process dies.
    """
    # What is wrong with the command is reported before Ray starts.
    if not is_released(run.checkpoint):
        read_info(run.checkpoint)
    choose_device(run.device)
    locate("face_landmarker.task", run.weights_dir)
    # Processes of Ray have another working directory.
    run = replace(
        run,
        checkpoint=run.checkpoint.absolute(),
        weights_dir=run.weights_dir.absolute() if run.weights_dir else None,
    )
    absolute = [
        replace(job, face=job.face.absolute(), speech=job.speech.absolute(), out=job.out.absolute())
        for job in jobs
    ]
    workers = min(workers, len(jobs))
    size = min(run.batch, -(-len(jobs) // workers))
    batches = [absolute[begin : begin + size] for begin in range(0, len(jobs), size)]
    with progress("videos", len(jobs)) as step:
        for _, outcome in run_on_ray(
            video_maker, (run,), batches, workers=workers, gpu=run.device != "cpu"
        ):
            step()
            yield outcome
