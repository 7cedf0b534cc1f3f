"""Whether a scores.json that somebody sends can be what dh-bench score wrote.

Everything in it that follows from the rest is computed again: numbers of clips, means and spreads,
names with n, protocols of this version, hashes of weights. What is forged throughout cannot be
found without the videos.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.catalogue import METRICS, as_measured
from benchmarks.metrics.metric import Metric
from benchmarks.scoring.pretrained import used_by
from benchmarks.scoring.results import Scores, SetRow, values_of
from pipeline.weights import FILES

# Metrics that only a set has; others are means over clips.
_OF_SETS = frozenset(
    ("fid", "kid", "fvd", "blinks_per_second", "blink_duration", "av_offset", "lip_lag",
     "lip_correlation", "sync_lag", "sync_confidence", "wer", "cer")
)  # fmt: skip
# What a number can be, where that is not 0 and more.
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(("ssim", "csim", "lip_correlation"), (-1, 1)),
    **dict.fromkeys(("av_offset", "lip_lag", "sync_lag"), (-15, 15)),
    **dict.fromkeys(("ofm", "f_mse"), (0, 255)),
    **dict.fromkeys(("mse", "f_mse_equation"), (0, 255**2)),
    "psnr": (0, 100),
    **dict.fromkeys(("cpbd", "beat_alignment"), (0, 1)),
    "kid": (-1000, np.inf),
    "blinks_per_second": (0, 12.5),
    "sync_confidence": (-np.inf, np.inf),
}
_CLOSE = 1e-6


def problems_of(scores: Scores) -> list[str]:
    """What cannot be right in a scores.json that `read_scores` has read, a sentence each."""
    return [*_of_clips(scores), *_of_weights(scores), *_of_metrics(scores)]


def _of_clips(scores: Scores) -> Iterator[str]:
    """Rows of clips that contradict themselves or each other."""
    clips = scores["clips"]
    most = scores["options"].get("max_frames") or np.inf
    twice = [name for name, count in Counter(c["clip_id"] for c in clips).items() if count > 1]
    if twice:
        yield f"{len(twice)} clips are there twice, the first, {twice[0]}"
    if "sources" in scores and set(scores["sources"]) != {clip["clip_id"] for clip in clips}:
        yield "the clips are not those whose sources are named"
    for clip in clips:
        name = clip["clip_id"]
        if clip["status"] == "failed":
            if clip.get("values") or not clip.get("reason"):
                yield f"{name} failed, but has numbers or no reason"
            continue
        if clip["status"] != "ok":
            yield f"{name} is neither ok nor failed: {clip['status']!r}"
        frames = clip.get("frames", 0)
        if frames > min(clip.get("frames_real", frames), clip.get("frames_fake", frames), most):
            yield f"{name} has more frames compared ({frames}) than there are"
        if 0 < frames == clip.get("identical_frames"):
            yield f"{name} is a copy of the real clip: no generated video has all its pixels"


def _of_weights(scores: Scores) -> Iterator[str]:
    """Networks other than those of this version."""
    weights = scores.get("weights", {})
    for name, digest in weights.items():
        if name not in FILES or (FILES[name].sha256 and digest != FILES[name].sha256):
            yield f"{name} (SHA-256 {digest[:12]}) is not the file that this version measures with"
    known = {key for key, row in scores["metrics"].items() if row["mean"] is not None}
    for name, users in used_by(scores["options"].get("region", "frame")).items():
        measured = [key for key in users if key in known]
        if measured and "weights" in scores and name not in weights:
            yield f"{', '.join(measured)}: measured without the SHA-256 of {name}"


def _of_metrics(scores: Scores) -> Iterator[str]:
    """Numbers of the set that do not follow from those of the clips, or cannot be."""
    scored = sum(clip["status"] == "ok" for clip in scores["clips"])
    for name, row in scores["metrics"].items():
        if name not in METRICS:
            yield f"{name} is no metric of this version"
            continue
        values = np.array(list(values_of(scores, name).values()), np.float64)
        shaping = {k: v for k, v in scores["options"].items() if k in ("fvd_frames", "region")}
        found = _of_row(as_measured(name, **shaping), row, scored), _of_numbers(name, row, values)
        yield from (f"{row['label']}: {text}" for text in itertools.chain(*found))


def _of_row(metric: Metric, row: SetRow, scored: int) -> Iterator[str]:
    """How one metric is described; `scored` is the number of clips with any number."""
    if row["direction"] != metric.direction:
        yield f"its direction is {metric.direction}, not {row['direction']}"
    named = re.match(r"\w+_n(\d+): ", row["protocol"])
    if not named or int(named[1]) != row["n"]:
        yield f"its name, {row['protocol'].split(':')[0]!r}, does not end in n{row['n']}"
    elif not row["protocol"][named.end() :].startswith(metric.protocol):
        yield "its protocol is another version's; score the videos again to compare with others"
    if row["n"] > scored:
        yield f"of {row['n']} clips, but only {scored} are scored"
    if (row["mean"] is None) == (not row["reason"]):
        yield "it has neither a number nor a reason, or both"


def _of_numbers(name: str, row: SetRow, values: NDArray[np.float64]) -> Iterator[str]:
    """The numbers of one metric; `values` are those of its clips."""
    mean, interval, (low, high) = row["mean"], row["ci95"], _RANGES.get(name, (0, np.inf))
    for number in [mean, *(interval or []), *values.tolist()]:
        if number is not None and not (np.isfinite(number) and low <= number <= high):
            yield f"{number:g} cannot be; it lies in {low:g} … {high:g}"
            break
    if name in _OF_SETS or mean is None:
        return
    if len(values) != row["n"]:
        yield f"{len(values)} clips have a value, n says {row['n']}"
    elif abs(values.mean() - mean) > _CLOSE * max(1.0, abs(mean)):
        yield f"the mean of its clips is {values.mean():.4f}, not {mean:.4f}"
    elif row["std"] is not None and abs(values.std(ddof=1) - row["std"]) > _CLOSE * max(1.0, mean):
        yield f"the spread of its clips is {values.std(ddof=1):.4f}, not {row['std']:.4f}"
    elif interval and not interval[0] - _CLOSE <= mean <= interval[1] + _CLOSE:
        yield f"{mean:.4f} is outside its interval, {interval[0]:.4f} to {interval[1]:.4f}"
