"""Who measures clips: this process, or several processes of a Ray session.

What is in the cache is looked up in this process, which needs neither torch nor Ray for it: both
take seconds to start.
"""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2

from benchmarks.clips.cache import MeasurementCache, NotCachedError
from benchmarks.clips.decoded_video import open_video
from benchmarks.clips.pairs import ClipBatch, RealClip
from benchmarks.metrics.speech.wer import command_reader
from benchmarks.scoring.clip_videos import MeasureSetup
from benchmarks.scoring.measure import MeasuredClip, measure_clip
from benchmarks.scoring.pretrained import Networks, find_networks
from benchmarks.scoring.reference import metrics_of
from pipeline.errors import UserError
from pipeline.parallel.tasks import in_order, run_on_ray

if TYPE_CHECKING:
    from benchmarks.scoring.score_options import ScoreOptions

    LipReader = Callable[[Path], str]
    Scorer = Callable[[ClipBatch], list[MeasuredClip]]

_FEWEST = 4  # clips a worker, below which another one is not worth its start
_MOST_LOOKED_UP = 1000  # clips; of very many, workers look up the rest side by side


def make_scorer(
    options: ScoreOptions, cache: MeasurementCache, networks: Networks, read_lips: LipReader | None
) -> Scorer:
    """A function that measures the clips of a batch; it loads networks when first needed.

    Without `read_lips` the command in the options reads lips, if there is one.
    """
    if read_lips is None and options.lip_reader:
        read_lips = command_reader(options.lip_reader, options.lip_reader_timeout)
    setup = MeasureSetup(options, networks, cache, read_lips, metrics_of(options.reference))

    def score(clip: RealClip, fake: Path) -> MeasuredClip:
        # What cannot be read or compared is a row with the reason, and ends no other clip.
        most = options.max_frames
        try:
            return measure_clip(setup, clip, clip.open(most), open_video(fake, most), fake)
        except (UserError, ValueError, OSError) as error:
            reason = str(error)
        except NotCachedError:
            raise
        except Exception as error:  # noqa: BLE001 - a fault of ours, shown as one
            reason = f"{type(error).__name__}: {error}"
            traceback.print_exc()
        return MeasuredClip({"clip_id": clip.clip_id, "status": "failed", "reason": reason}, {})

    return lambda batch: [score(clip, fake) for clip, fake in batch.pairs()]


def measure_batches(
    batches: Sequence[ClipBatch],
    options: ScoreOptions,
    cache: Path,
    networks: Networks,
    read_lips: LipReader | None,
) -> Iterator[MeasuredClip]:
    """What is measured of each clip, in the order of the batches."""
    # What is in the cache already.
    reader = read_lips or (_not_cached if options.lip_reader else None)
    read_only = MeasurementCache(cache, only_read=True)
    known = _look_up(batches, make_scorer(options, read_only, networks, reader))

    # The rest: here, or by several processes.
    left = [batch for batch, found in zip(batches, known, strict=False) if found is None]
    left += batches[len(known) :]
    clips = sum(len(batch.fakes) for batch in left)
    workers = min(options.workers or min(os.cpu_count() or 1, clips // _FEWEST), len(left))
    measured: Iterator[list[MeasuredClip]]
    if workers <= 1:
        measured = map(make_scorer(options, MeasurementCache(cache), networks, read_lips), left)
    else:
        # The processes of a cluster have another current folder.
        options = replace(
            options,
            weights_dir=options.weights_dir and options.weights_dir.absolute(),
            reference=options.reference and options.reference.absolute(),
        )
        given = options, MeasurementCache(cache.absolute()), read_lips
        jobs = [batch.absolute() for batch in left]
        measured = in_order(run_on_ray(scorer_worker, given, jobs, workers=workers, gpu=True))

    # Both, in order.
    for found in [*known, *[None] * (len(batches) - len(known))]:
        yield from next(measured) if found is None else found


def _look_up(batches: Sequence[ClipBatch], scorer: Scorer) -> list[list[MeasuredClip] | None]:
    """What is in the cache of the first batches; None for a batch of which something is not.

    It ends when so many are not that several workers are worth their start.
    """
    known: list[list[MeasuredClip] | None] = []
    looked_up = unknown = 0
    for batch in batches:
        try:
            known.append(scorer(batch))
        except NotCachedError:
            known.append(None)
            unknown += len(batch.fakes)
        looked_up += len(batch.fakes)
        if unknown >= 2 * _FEWEST or looked_up >= _MOST_LOOKED_UP:
            break
    return known


def _not_cached(_: Path) -> str:
    """A lip reader's words are not kept."""
    raise NotCachedError


def scorer_worker(
    options: ScoreOptions, cache: MeasurementCache, read_lips: LipReader | None, threads: int
) -> Callable[[ClipBatch], list[list[MeasuredClip]]]:
    """What a Ray process does: one result a batch, what is measured of each of its clips.

    OpenCV is given the threads here, torch by OMP_NUM_THREADS.
    """
    cv2.setNumThreads(threads)
    scorer = make_scorer(options, cache, find_networks(options), read_lips)
    return lambda batch: [scorer(batch)]
