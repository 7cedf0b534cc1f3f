"""Workers that measure clips: one in this process, or several Ray processes.

What is in the cache is looked up in this process, which needs neither torch nor Ray for it: both
take seconds to start.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from benchmarks.clips.decoded_video import Video, open_video
from benchmarks.clips.pairs import file_clip, shard_clips
from benchmarks.metrics.wer import command_reader, transcript
from benchmarks.scoring.cache import MeasurementCache, UnknownError
from benchmarks.scoring.clip_metrics import Kit
from benchmarks.scoring.measure import Measured, measure_clip
from benchmarks.scoring.pretrained import find_networks
from pipeline.errors import UserError
from pipeline.parallel.tasks import in_order, run_on_ray

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from benchmarks.clips.pairs import RealClip
    from benchmarks.scoring.pretrained import Networks
    from benchmarks.scoring.score_options import ScoreOptions

_FEWEST = 4  # clips a worker, below which another one is not worth its start
_MOST_LOOKED_UP = 1000  # clips; of very many, workers look up the rest side by side


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

    def absolute(self) -> Job:
        """The same job for a process in another folder."""
        fakes = {clip_id: fake.absolute() for clip_id, fake in self.fakes.items()}
        return Job(str(Path(self.source).absolute()), self.packed, fakes)


class Scorer:
    """Measures clips; its networks are loaded once, when first needed.

    Args:
        metrics: names of the metrics that are wanted.
        options: of the run.
        cache: of the measurements.
        networks: that the metrics need; None finds them.
        threads: inside OpenCV; None leaves them as they are. Torch takes OMP_NUM_THREADS.
        read_lips: a lip reader; None takes the options' command, if there is one.
    """

    def __init__(
        self,
        metrics: Sequence[str],
        options: ScoreOptions,
        cache: MeasurementCache,
        networks: Networks | None = None,
        threads: int | None = None,
        read_lips: Callable[[Path], str] | None = None,
    ) -> None:
        if threads:
            cv2.setNumThreads(threads)
        if read_lips is None and options.lip_reader:
            read_lips = command_reader(options.lip_reader, options.lip_reader_timeout)
        self.limit = options.max_frames
        self.kit = Kit(
            tuple(metrics),
            networks or networks_for(metrics, options),
            cache,
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
    return find_networks(metrics, options.weights_dir, options.device, options.precision)


def run_jobs(
    jobs: Sequence[Job],
    metrics: Sequence[str],
    options: ScoreOptions,
    cache: Path,
    networks: Networks,
    read_lips: Callable[[Path], str] | None,
) -> Iterator[Measured]:
    """What `Scorer.score` gives of each job, in the order of the jobs.

    Args:
        jobs: what is to measure.
        metrics: names of the metrics that are wanted.
        options: of the run.
        cache: folder of the measurements.
        networks: that the metrics need, for what is done in this process.
        read_lips: a lip reader, or None.
    """
    reader = read_lips or (_unknown if options.lip_reader else None)
    kept = MeasurementCache(cache, only_read=True)
    known = _look_up(jobs, Scorer(metrics, options, kept, networks, None, reader))
    left = [job for job, found in zip(jobs, known, strict=False) if found is None]
    left += jobs[len(known) :]
    workers = _workers(options.workers, left)
    measured: Iterator[list[Measured]]
    if workers == 1:
        scorer = Scorer(metrics, options, MeasurementCache(cache), networks, None, read_lips)
        measured = map(scorer.score, left)
    else:
        measured = _measure_by_ray(left, metrics, options, cache, workers, read_lips)
    for found in [*known, *[None] * (len(jobs) - len(known))]:
        yield from next(measured) if found is None else found


def _workers(wanted: int | None, jobs: Sequence[Job]) -> int:
    clips = sum(len(job.fakes) for job in jobs)
    most = wanted or min(os.cpu_count() or 1, clips // _FEWEST)
    return max(1, min(most, len(jobs)))


def _look_up(jobs: Sequence[Job], scorer: Scorer) -> list[list[Measured] | None]:
    """What is in the cache of the first jobs; None for a job of which something is not.

    It ends when so many are not that several workers are worth their start.

    Args:
        jobs: what is to measure.
        scorer: whose cache is only read.
    """
    known: list[list[Measured] | None] = []
    looked_up = unknown = 0
    for job in jobs:
        try:
            known.append(scorer.score(job))
        except UnknownError:
            known.append(None)
            unknown += len(job.fakes)
        looked_up += len(job.fakes)
        if unknown >= 2 * _FEWEST or looked_up >= _MOST_LOOKED_UP:
            break
    return known


def _unknown(_: Path) -> str:
    """A lip reader's words are not kept."""
    raise UnknownError


def _measure_by_ray(
    jobs: Sequence[Job],
    metrics: Sequence[str],
    options: ScoreOptions,
    cache: Path,
    workers: int,
    read_lips: Callable[[Path], str] | None,
) -> Iterator[list[Measured]]:
    # The processes of a cluster have another current folder.
    weights_dir = options.weights_dir.absolute() if options.weights_dir else None
    options = replace(options, weights_dir=weights_dir)
    kept = MeasurementCache(cache.absolute())
    return in_order(
        run_on_ray(
            scorer_worker,
            (metrics, options, kept, read_lips),
            [job.absolute() for job in jobs],
            workers=workers,
            gpu=True,
        )
    )


def scorer_worker(
    metrics: Sequence[str],
    options: ScoreOptions,
    cache: MeasurementCache,
    read_lips: Callable[[Path], str] | None,
    threads: int,
) -> Callable[[Job], list[list[Measured]]]:
    """What a Ray process does: one result a job, what is measured of each of its clips."""
    scorer = Scorer(metrics, options, cache, None, threads, read_lips)
    return lambda job: [scorer.score(job)]
