"""From two folders of clips to numbers over the set.

The protocol is the first version's table: frame k of the fake against frame k of the real clip,
averaged over the frames of a clip, then over clips.
"""

import json
import platform
import tempfile
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import cast

from benchmarks.clips.cache import MeasurementCache
from benchmarks.clips.pairs import chosen_split, match_folders
from benchmarks.metrics.catalogue import as_measured, choose
from benchmarks.scoring.aggregate import SetStatistics
from benchmarks.scoring.pretrained import find_networks
from benchmarks.scoring.reference import check_reference, read_reference
from benchmarks.scoring.results import SCHEMA_VERSION, ClipRow, Scores, Source, write_scores
from benchmarks.scoring.score_options import ScoreOptions
from benchmarks.scoring.scorer import measure_batches
from pipeline.media import FPS
from pipeline.progress import progress

_BRIEF = ("clip_id", "status", "reason", "warnings")  # of a row, where something went wrong
_PACKAGES = ("diffused-heads", "numpy", "opencv-python", "av", "torch", "scipy")


def score(
    real: Path | str,
    fake: Path | str,
    options: ScoreOptions | None = None,
    read_lips: Callable[[Path], str] | None = None,
) -> Scores:
    """Scores the fakes in one folder against the real clips in another.

    Args:
        real: a folder of videos, or a data set of dh-prep.
        fake: a folder of videos, called like the clips they imitate.
        options: what to compare, and how.
        read_lips: a lip reader for WER, from the path of a video to the words it sees; None takes
            the command in the options, if there is one.

    Raises:
        UserError: nothing to compare. A clip that cannot be compared is a row with a reason.
    """
    rows: list[ClipRow] = []
    scores = _score(Path(real), Path(fake), options or ScoreOptions(), read_lips, rows.append)
    return {**scores, "clips": rows}


def score_to(out: Path, real: Path, fake: Path, options: ScoreOptions) -> Scores:
    """Like `score`, but writes the rows of the clips to scores.json and keeps none in memory.

    The file `out` is written when all clips are scored. Of the clips it returns only what went
    wrong: id, status, reason and warnings.
    """
    troubled: list[ClipRow] = []
    with tempfile.TemporaryDirectory(prefix="dh-bench-") as folder:
        rows = Path(folder) / "rows.jsonl"
        with rows.open("w", encoding="utf-8", buffering=1) as file:

            def keep(row: ClipRow) -> None:
                file.write(json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n")
                if row["status"] == "failed" or row.get("warnings"):
                    brief = {name: value for name, value in row.items() if name in _BRIEF}
                    troubled.append(cast("ClipRow", brief))

            scores = _score(real, fake, options, None, keep)
        write_scores(out, scores, rows)
    return {**scores, "clips": troubled}


def _score(
    real: Path,
    fake: Path,
    options: ScoreOptions,
    read_lips: Callable[[Path], str] | None,
    keep: Callable[[ClipRow], None],
) -> Scores:
    """The scores without the rows of the clips, which `keep` is given one by one."""
    # Which metrics, which pairs of clips, which networks (fetched once, not by every worker).
    chosen = replace(options, metrics=choose(options.metrics))
    split = chosen_split(real, options.split)
    batches, unmatched = match_folders(real, fake, split)
    networks = find_networks(chosen)
    named = {
        name: as_measured(name, fvd_frames=options.fvd_frames, region=options.region)
        for name in chosen.metrics
    }
    reference = read_reference(options.reference) if options.reference else None
    if reference:
        check_reference(reference, options, networks.digests(reference.moments.keys()))
    sources: dict[str, Source] = {
        clip_id: {"real": batch.source, "fake": str(path)}
        for batch in batches
        for clip_id, path in batch.fakes.items()
    }
    dataset = options.dataset or real.resolve().name
    sizes: dict[tuple[str, str, str], ClipRow] = {}  # a clip of each
    with (
        tempfile.TemporaryDirectory(prefix="dh-bench-") as folder,
        progress("clips", len(sources)) as step,
    ):
        # Each clip decoded once, measured, cached, and taken up into the numbers of the set.
        cache = options.cache or Path(folder)
        statistics = SetStatistics(named, MeasurementCache(cache), dataset, reference)
        for clip in measure_batches(batches, chosen, cache, networks, read_lips):
            statistics.add(clip)
            row = clip.row
            keep(row)
            if row["status"] == "ok":
                sizes.setdefault((row["size_real"], row["size_fake"], row["size_compared"]), row)
            step()
        numbers = statistics.rows()
    if options.precision == "bf16":
        for name in {"fid", "kid", "fvd"} & numbers.keys():
            numbers[name]["protocol"] += "; network in bfloat16, which moves it by up to 1 %"
    measured = [name for name, row in numbers.items() if row["mean"] is not None]
    return {
        "schema_version": SCHEMA_VERSION,
        "method": options.method or fake.resolve().name,
        "dataset": dataset,
        "real": str(real),
        "fake": str(fake),
        "split": split,
        "protocol": describe_protocol(list(sizes.values()), options),
        "options": options.as_json(),
        "software": {
            "python": platform.python_version(),
            **{name: version(name) for name in _PACKAGES},
        },
        "weights": networks.digests(measured),
        "metrics": numbers,
        "unmatched": unmatched,
        "sources": sources,
        "clips": [],
    }


def describe_protocol(done: Sequence[ClipRow], options: ScoreOptions) -> str:
    """How frames were paired and at which size, for footnotes; `done`: clips of every size."""
    span = f"the first {options.max_frames} frames" if options.max_frames else "all frames"
    parts = [
        f"frame k against frame k at {FPS} fps, {span} of a clip that both videos have",
        "mean over frames, then clips",
    ]
    if done:
        parts.append(f"compared at {_listed(row['size_compared'] for row in done)}")
    for side in ("real", "fake"):
        sizes = [str(row.get(f"size_{side}")) for row in done]
        compared = (row["size_compared"] for row in done)
        resized = [one for one, other in zip(sizes, compared, strict=True) if one != other]
        if resized:
            parts.append(f"{side} frames resized from {_listed(resized)}")
    if " resized " in parts[-1]:
        parts.append("cv2.INTER_AREA down, cv2.INTER_CUBIC up")
    return "; ".join(parts)


def _listed(sizes: Iterable[str]) -> str:
    names = sorted(set(sizes))
    more = f" and {len(names) - 3} other sizes" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
