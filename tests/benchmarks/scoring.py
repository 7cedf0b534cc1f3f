"""What tests of scoring share: a pattern that moves, and scores by what needs no network."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np

from benchmarks.options import ScoreOptions
from benchmarks.score import score as score_folders

FRAMEWISE = ("ssim", "psnr")


def moving(seed, count=6, size=(64, 48)):
    """A coloured pattern that moves, (width, height) = size."""
    rng = np.random.default_rng(seed)
    big = cv2.resize(rng.integers(0, 256, (12, 12, 3)).astype(np.uint8), (2 * size[0], 2 * size[1]))
    return [big[k : k + size[1], 2 * k : 2 * k + size[0]] for k in range(count)]


def score(real, fake, options=None):
    """Scores by what needs no network, in this process."""
    return score_folders(
        real, fake, replace(options or ScoreOptions(), metrics=FRAMEWISE, workers=1)
    )


def row(scores, clip_id):
    return next(row for row in scores["clips"] if row["clip_id"] == clip_id)
