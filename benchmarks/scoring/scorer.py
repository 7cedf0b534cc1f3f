"""All numbers of single clips, measured by this process or by several of a Ray session.

What is in the cache is looked up in this process, which needs neither torch nor Ray for it: both
take seconds to start.
"""

import itertools
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple, cast

import cv2

from benchmarks.clips import paired_frames
from benchmarks.clips.cache import MeasurementCache, NotCachedError, key_of
from benchmarks.clips.decoded_video import DecodedVideo, open_video
from benchmarks.clips.pairs import ClipBatch, RealClip
from benchmarks.metrics.catalogue import METRICS
from benchmarks.metrics.speech.wer import command_reader
from benchmarks.scoring.clip_metrics import FAMILIES, Numbers, frame_size
from benchmarks.scoring.clip_videos import ClipVideos, MeasureSetup
from benchmarks.scoring.pretrained import LANDMARKS, Networks, UnavailableError, find_networks
from benchmarks.scoring.reference import metrics_of
from benchmarks.scoring.results import ClipRow, by_text
from benchmarks.scoring.score_options import ScoreOptions
from pipeline.errors import UserError
from pipeline.parallel.tasks import in_order, run_on_ray

LipReader = Callable[[Path], str]

_FEWEST = 4  # clips a worker, below which another one is not worth its start
_MOST_LOOKED_UP = 1000  # clips; of very many, workers look up the rest side by side


class MeasuredClip(NamedTuple):
    """What is known of a clip: its row for scores.json, and see `Numbers.pooled`."""

    row: ClipRow
    pooled: dict[str, Any]


def measure_clip(
    setup: MeasureSetup, clip: RealClip, real: DecodedVideo, fake: DecodedVideo, fake_file: Path
) -> MeasuredClip:
    """Measures one clip; a number that it cannot give is in `missing` with the reason."""
    # How the two go together; what does not is not measured.
    metrics, side = setup.options.metrics, setup.options.image_size
    key = key_of("compare", real.digest, fake.digest, real.max_frames, side)
    comparison: paired_frames.FrameComparison = setup.cache.record(
        key, lambda: paired_frames.compare_frames(real, fake, side)
    )
    width, height = map(int, comparison["size_compared"].split("x"))
    numbers = Numbers()
    warnings = paired_frames.pair_warnings(comparison)

    # Then family by family, of the frames that both have; one that fails leaves the others.
    shared = comparison["frames"]
    real = real.first(shared) if comparison["frames_real"] > shared else real
    fake = fake.first(shared) if comparison["frames_fake"] > shared else fake
    videos = ClipVideos(setup, real, fake, (width, height), clip.origin, fake_file)
    missing: dict[str, str] = {}
    lacking = []  # where the reason is the clip's own
    for family, measure in FAMILIES.items():
        chosen = [name for name in family if name in metrics]
        try:
            if chosen:
                measure(videos, numbers)
        except (UnavailableError, ValueError, UserError) as error:
            missing |= {name: str(error) for name in chosen if name not in numbers.fake}
            if isinstance(error, ValueError):
                lacking += [(METRICS[name].label, str(error)) for name in chosen]
    warnings += [f"no {text}" for text in by_text(lacking)]
    if LANDMARKS in setup.networks.paths:
        points = videos.landmarks(real), videos.landmarks(fake)
        fake_size, real_size = videos.of_both("frame size", frame_size)
        warnings += paired_frames.place_warnings(*points, real_size, fake_size)

    row = {
        "clip_id": clip.clip_id,
        "status": "ok",
        "warnings": warnings,
        **comparison,
        "values": {name: v for name, v in numbers.fake.items() if name in metrics},
        "real_values": {name: v for name, v in numbers.real.items() if name in metrics},
        "curves": numbers.curves,
        "missing": missing,
    }
    return MeasuredClip(cast("ClipRow", row), numbers.pooled)


def make_scorer(
    options: ScoreOptions, cache: MeasurementCache, networks: Networks, read_lips: LipReader | None
) -> Callable[[ClipBatch], list[MeasuredClip]]:
    """A function that measures the clips of a batch; it loads networks when first needed."""
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
    # What is in the cache; what is not says how many processes are worth their start.
    reader = _not_cached if read_lips or options.lip_reader else None
    read_only = MeasurementCache(cache, only_read=True)
    known, unknown = _look_up(batches, make_scorer(options, read_only, networks, reader))
    workers = options.workers or min(os.cpu_count() or 1, unknown // _FEWEST)
    workers = min(workers, unknown, len(batches))
    measured: Iterator[list[MeasuredClip]]
    if not unknown:
        measured = iter(known)
    elif workers <= 1:
        measured = map(make_scorer(options, MeasurementCache(cache), networks, read_lips), batches)
    else:
        given = options, MeasurementCache(cache), read_lips, Path.cwd()
        measured = in_order(run_on_ray(scorer_worker, given, batches, workers=workers, gpu=True))
    return itertools.chain.from_iterable(measured)


def _look_up(
    batches: Sequence[ClipBatch], scorer: Callable[[ClipBatch], list[MeasuredClip]]
) -> tuple[list[list[MeasuredClip]], int]:
    """What is in the cache, and how many clips are not; those not looked up count, too.

    It ends once enough are missing to make several workers worth their start.
    """
    known: list[list[MeasuredClip]] = []
    looked_up = unknown = 0
    for place, batch in enumerate(batches, start=1):
        try:
            known.append(scorer(batch))
        except NotCachedError:
            unknown += len(batch.fakes)
        looked_up += len(batch.fakes)
        if unknown >= 2 * _FEWEST or looked_up >= _MOST_LOOKED_UP:
            return known, unknown + sum(len(left.fakes) for left in batches[place:])
    return known, unknown


def _not_cached(_: Path) -> str:
    """A lip reader's words are not kept."""
    raise NotCachedError


def scorer_worker(
    options: ScoreOptions,
    cache: MeasurementCache,
    read_lips: LipReader | None,
    folder: Path,
    threads: int,
) -> Callable[[ClipBatch], list[list[MeasuredClip]]]:
    """What a Ray process does: one result a batch, what is measured of each of its clips.

    OpenCV is given the threads here, torch by OMP_NUM_THREADS. Paths are relative to `folder`.
    """
    with suppress(OSError):  # a machine without that folder is given absolute paths
        os.chdir(folder)
    cv2.setNumThreads(threads)
    scorer = make_scorer(options, cache, find_networks(options), read_lips)
    return lambda batch: [scorer(batch)]
