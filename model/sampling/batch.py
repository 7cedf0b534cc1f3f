"""Lists of videos: made batch by batch in this process, or in several through Ray."""

import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from model.checkpoints.checkpoint import (
    CheckpointInfo,
    is_released,
    load_talking_head,
    read_info,
    resolve,
)
from model.device import choose_device, choose_precision
from model.sampling.autoregressive import make_denoiser
from model.sampling.denoiser import FrameDenoiser
from model.sampling.inputs import VideoInputs, features_of, read_inputs
from model.sampling.jobs import Job
from model.sampling.sample_config import (
    ModelOptions,
    OutputOptions,
    SampleConfig,
    VideoOptions,
    choose_sampler,
)
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

    model: ModelOptions
    config: SampleConfig  # how frames are drawn
    output: OutputOptions  # what is written besides or around the frames
    videos: VideoOptions

    @property
    def single(self) -> bool:
        """Whether there is one pair only: if it cannot be used, the error is raised."""
        return self.videos.pairs is None


@dataclass(frozen=True)
class LoadedModel:
    """A checkpoint with its networks in memory."""

    checkpoint: Path  # the .safetensors file, or one of the authors'
    config: SampleConfig  # how frames are drawn, precision and sampler chosen
    info: CheckpointInfo  # of the checkpoint
    denoiser: FrameDenoiser  # see `model.sampling.autoregressive.make_denoiser`
    tracker: MediaPipeTracker  # finds faces
    featurise: Featurise  # computes the speech features that the model takes


def load(options: ModelOptions, config: SampleConfig) -> LoadedModel:
    """Loads what makes videos; the precision of `options` goes before that of `config`."""
    checkpoint = resolve(options.checkpoint, options.weights_dir)
    device = choose_device(options.device)
    model, info = load_talking_head(checkpoint, device)
    config = replace(config, precision=choose_precision(options.precision, device))
    config = choose_sampler(config, info.preset.diffusion)
    featurise = features_of(info.speech, options.weights_dir)
    tracker = MediaPipeTracker(locate("face_landmarker.task", options.weights_dir))
    denoiser = make_denoiser(model, info.preset, config)
    return LoadedModel(checkpoint, config, info, denoiser, tracker, featurise)


def run_here(run: SampleRun, jobs: Sequence[Job]) -> Iterator[Outcome]:
    """Makes videos in this process behind a progress bar."""
    loaded, size = load(run.model, run.config), run.videos.batch
    for begin in range(0, len(jobs), size):
        yield from _make_batch(run, loaded, jobs[begin : begin + size], show_progress=True)


def video_maker(run: SampleRun, threads: int) -> Callable[[Sequence[Job]], Iterator[Outcome]]:
    """What a Ray process does: it loads the model once and makes batches of videos with it."""
    import torch

    torch.set_num_threads(threads)
    return partial(_make_batch, run, load(run.model, run.config))


def _make_batch(
    run: SampleRun, loaded: LoadedModel, jobs: Sequence[Job], *, show_progress: bool = False
) -> Iterator[Outcome]:
    """Makes videos side by side; a pair that cannot be used is left out of the batch."""
    which = run.videos.which_face
    ready: list[VideoInputs] = []
    for job in jobs:
        try:
            preset = loaded.info.preset
            inputs = read_inputs(job, loaded.tracker, preset, loaded.featurise, which)
            ready.append(inputs)
            if inputs.face.faces > 1 and which == "largest":
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
        yield from _draw(run, loaded, ready, step)


def _draw(
    run: SampleRun, loaded: LoadedModel, ready: list[VideoInputs], step: Advance
) -> Iterator[Outcome]:
    """Draws videos side by side; where one of them ends the batch, each by itself."""
    try:
        if ready:
            make_videos(
                loaded.denoiser,
                loaded.info.preset,
                ready,
                loaded.config,
                output=run.output,
                tracker=loaded.tracker,
                on_frame=step,
            )
    except Exception as error:
        if run.single:
            raise
        if len(ready) == 1:
            yield ready[0].job.out, _reason(error)
            return
        for one in ready:
            yield from _draw(run, loaded, [one], step)
    else:
        yield from ((one.job.out, None) for one in ready)


def _reason(error: Exception) -> UserError:
    """Why a video of a list was not made; a fault of ours is shown with its traceback too."""
    if isinstance(error, UserError):
        return error
    traceback.print_exception(error)
    return UserError(f"{type(error).__name__}: {error}")


def run_on_workers(run: SampleRun, jobs: Sequence[Job]) -> Iterator[Outcome]:
    """Makes videos in several processes of a Ray session, each with a model of its own.

    Batches are made smaller where there are few videos, so that every process has work.
    """
    # What is wrong with the command is reported before Ray starts.
    options = run.model
    checkpoint = resolve(options.checkpoint, options.weights_dir)
    if not is_released(checkpoint):
        read_info(checkpoint)
    choose_device(options.device)
    locate("face_landmarker.task", options.weights_dir)
    # Processes of Ray have another working directory.
    weights_dir = options.weights_dir.absolute() if options.weights_dir else None
    options = replace(options, checkpoint=checkpoint.absolute(), weights_dir=weights_dir)
    run = replace(run, model=options)
    absolute = [
        replace(job, face=job.face.absolute(), speech=job.speech.absolute(), out=job.out.absolute())
        for job in jobs
    ]
    workers = min(run.videos.workers, len(jobs))
    size = min(run.videos.batch, -(-len(jobs) // workers))
    batches = [absolute[begin : begin + size] for begin in range(0, len(jobs), size)]
    with progress("videos", len(jobs)) as step:
        for _, outcome in run_on_ray(
            video_maker, (run,), batches, workers=workers, gpu=options.device != "cpu"
        ):
            step()
            yield outcome
