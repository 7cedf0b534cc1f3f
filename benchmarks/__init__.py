"""From videos to numbers to the paper's tables (dh-bench).

    from benchmarks import METRICS, ScoreOptions, score

    scores = score("real/", "fake/", ScoreOptions(metrics=("ssim", "lmd")))
    scores["metrics"]["ssim"]["mean"]

Names are imported when they are first used.
"""

from typing import TYPE_CHECKING

import lazy_loader

import pipeline as pipeline  # before torch: how threads wait

if TYPE_CHECKING:
    from benchmarks.metrics.catalogue import METRICS as METRICS
    from benchmarks.scoring.results import read_scores as read_scores
    from benchmarks.scoring.score import score as score
    from benchmarks.scoring.score_options import ScoreOptions as ScoreOptions

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "metrics.catalogue": ["METRICS"],
        "scoring.results": ["read_scores"],
        "scoring.score": ["score"],
        "scoring.score_options": ["ScoreOptions"],
    },
)
