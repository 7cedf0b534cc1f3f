"""About what a run will take: some of its clips are prepared, the rest is taken to be alike."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.dataset.prep_options import PrepOptions
from pipeline.dataset.sample import to_members
from pipeline.sources.manifest import ManifestRow
from pipeline.storage import is_url, remote_size
from pipeline.units import evenly, size_text, time_text

_CLIPS = 8
_ENOUGH = 20.0  # seconds after which no further clip is tried
_STATS = 20_000  # files whose size is asked; of more, evenly chosen ones stand for all
_REMOTE_STATS = 100


def total_size(rows: Sequence[ManifestRow]) -> tuple[float, list[str], int]:
    """Bytes of all videos, those that are not there, and at how many it was looked.

    Very many are taken to be like some of them, chosen evenly.
    """
    paths = sorted({row.path for row in rows})
    chosen = evenly(paths, _REMOTE_STATS if is_url(paths[0]) else _STATS)
    sizes, missing = [], []
    for path in chosen:
        try:
            sizes.append(remote_size(path) if is_url(path) else Path(path).stat().st_size)
        except OSError:
            missing.append(path)
    return sum(sizes) * len(paths) / max(len(chosen), 1), missing, len(chosen)


def estimate(
    rows: Sequence[ManifestRow], options: PrepOptions, workers: int, weights_dir: Path | None
) -> list[str]:
    """Lines about time and size, from clips chosen evenly and prepared in this process."""
    from pipeline.run.prepare_clip import prepare_clip
    from pipeline.run.stages import default_stages, needed_weights
    from pipeline.weights import find

    weights = {name: find(name, weights_dir) for name in needed_weights(options)}
    found = {name: path for name, path in weights.items() if path}
    if len(found) < len(weights):
        absent = ", ".join(weights.keys() - found.keys())
        return [f"estimate   none before {absent} is here: dh-prep doctor --fetch"]
    stages = default_stages(options, found)
    seconds, frames, size, reason, begun = [], 0, 0, "", time.perf_counter()
    for row in evenly(rows, _CLIPS):
        before = time.perf_counter()
        outcome = prepare_clip(row, options, stages)
        seconds.append(time.perf_counter() - before)
        reason = reason or outcome.rows[0]["reason"]
        for sample in outcome.samples:
            frames += len(sample.frames)
            size += sum(map(len, to_members(sample).values()))
        if time.perf_counter() - begun > _ENOUGH:
            break
    if not frames:
        return [f"estimate   none: of {len(seconds)} clips tried not one is usable ({reason})"]
    # The first clip also warms up what the others find warm.
    each = float(np.mean(seconds[1:] or seconds))
    share = len(rows) / len(seconds)
    whole = time_text(each * len(rows) / workers)
    tried = f"a timed sample of {len(seconds)} clips ({each:.2f} seconds each)"
    return [
        f"estimate   {whole} from {tried}, {workers} at a time, and some seconds to start",
        f"           {size_text(size * share)} of shards, {frames * share:,.0f} frames",
    ]
