"""Workers that measure clips: one in this process, or several as Ray actors."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import torch

from benchmarks.cache import MeasurementCache
from benchmarks.clips import file_clip, shard_clips
from benchmarks.measure import Kit, Measured, measure_clip
from benchmarks.metrics.wer import command_reader, transcript
from benchmarks.networks import find_networks
from benchmarks.video import Video, open_video
from model.device import choose_device
from pipeline.cluster import MALLOC, ray_session
from pipeline.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.clips import RealClip
    from benchmarks.networks import Networks
    from benchmarks.options import ScoreOptions


@dataclass(frozen=True)
class Job:
    """Clips that one worker measures one after another.

    Attributes:
        source: a video, or a shard of dh-prep.
        packed: it is a shard.
        fakes: the fake of each, by clip id.
    """

    source: str
    packed: bool
    fakes: Mapping[str, Path]


class Scorer:
    """Measures clips; its networks are loaded once.

    Args:
        metrics: names of the metrics that are wanted.
        options: of the run.
        cache: folder of the measurements.
        threads: inside torch and OpenCV; None leaves them as they are.
        read_lips: a lip reader; None takes the options' command, if there is one.
    """

    def __init__(
        self,
        metrics: Sequence[str],
        options: ScoreOptions,
        cache: Path,
        threads: int | None = None,
        read_lips: Callable[[Path], str] | None = None,
    ) -> None:
        if threads:
            torch.set_num_threads(threads)
            cv2.setNumThreads(threads)
        if read_lips is None and options.lip_reader:
            read_lips = command_reader(options.lip_reader)
        self.limit = options.max_frames
        self.kit = Kit(
            tuple(metrics),
            networks_for(metrics, options),
            MeasurementCache(cache),
            options.image_size,
            read_lips,
        )

    def score(self, job: Job) -> list[Measured]:
        """What is measured of each clip of a job."""
        clips = shard_clips(job.source) if job.packed else [file_clip(Path(job.source))]
        return [
            self.clip(clip, job.fakes[clip.clip_id]) for clip in clips if clip.clip_id in job.fakes
        ]

    def clip(self, clip: RealClip, fake: Path) -> Measured:
        """Measures one clip; what cannot be read or compared becomes a row with the reason."""
        try:
            real = Video(clip.source, clip.digest(), self.limit, clip.frames, clip.samples)
            said = transcript(clip.origin) if "wer" in self.kit.metrics else None
            return measure_clip(
                self.kit, clip.clip_id, real, open_video(fake, self.limit), said, fake
            )
        except (UserError, ValueError, OSError) as error:
            return Measured({"clip_id": clip.clip_id, "status": "failed", "reason": str(error)})


def networks_for(metrics: Sequence[str], options: ScoreOptions) -> Networks:
    """The networks that some metrics need, on the device of the options."""
    device = choose_device(options.device)
    dtype = torch.bfloat16 if options.precision == "bf16" else torch.float32
    return find_networks(metrics, options.weights_dir, device, dtype)


def run_jobs(
    jobs: Sequence[Job],
    metrics: Sequence[str],
    options: ScoreOptions,
    cache: Path,
    workers: int,
    read_lips: Callable[[Path], str] | None,
) -> Iterator[Measured]:
    """What `Scorer.score` gives of each job, in the order of the jobs.

    Args:
        jobs: what is to measure.
        metrics: names of the metrics that are wanted.
        options: of the run.
        cache: folder of the measurements.
        workers: processes; 1 works in this one.
        read_lips: a lip reader, or None.
    """
    if workers == 1:
        scorer = Scorer(metrics, options, cache, None, read_lips)
        for job in jobs:
            yield from scorer.score(job)
        return
    with ray_session(None) as ray:
        from ray.exceptions import RayError, RayTaskError

        cpus, gpus = (ray.cluster_resources().get(kind, 0.0) for kind in ("CPU", "GPU"))
        threads = max(1, int(cpus // workers))
        environment = {"OMP_NUM_THREADS": str(threads), "PYTHONWARNINGS": "ignore", **MALLOC}
        actor: Any = ray.remote(Scorer).options(
            num_cpus=min(0.5, cpus / (2 * workers)),
            num_gpus=min(1.0, gpus / workers),
            runtime_env={"env_vars": environment},
        )
        actors = [actor.remote(metrics, options, cache, threads, read_lips) for _ in range(workers)]
        try:
            yield from _in_order(ray, actors, jobs)
        except RayTaskError as error:
            raise error.cause from error
        except RayError as error:
            raise UserError(
                f"a worker died ({str(error).splitlines()[0]}); the same command carries on where "
                "it stopped, with fewer --workers if memory is short"
            ) from error


def _in_order(ray: Any, actors: Sequence[Any], jobs: Sequence[Job]) -> Iterator[Measured]:
    """What actors measure, in the order of the jobs.

    Each has one job waiting behind the one it does. No job begins that is far ahead of the oldest
    unfinished one, so that what has to wait for its turn stays little.
    """
    free = list(actors) * 2
    far = 16 * len(actors)
    running: dict[Any, tuple[int, Any]] = {}
    waiting: dict[int, list[Measured]] = {}
    begun = yielded = 0
    while yielded < len(jobs):
        while free and begun < min(len(jobs), yielded + far):
            actor = free.pop(0)
            running[actor.score.remote(jobs[begun])] = (begun, actor)
            begun += 1
        (ready, *_), _ = ray.wait(list(running), num_returns=1)
        index, actor = running.pop(ready)
        free.append(actor)
        waiting[index] = ray.get(ready)
        while yielded in waiting:
            yield from waiting.pop(yielded)
            yielded += 1
