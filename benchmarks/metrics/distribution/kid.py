"""KID: the maximum mean discrepancy of real and generated frames in Inception's features.

    MMD² = E k(x, x') + E k(y, y') − 2 E k(x, y),    k(x, y) = (x · y / 2048 + 1)³

(Bińkowski et al., 2018.) Unlike FID it does not rise when there are few clips. That holds for
samples that are independent, which frames of one clip are not, nor a fake and the clip that it
imitates: only pairs of frames from two clips count, the U-statistic of paired samples (Gretton et
al., 2012, equation 4) with clips as samples. Where each clip is one frame, it is the `u-statistic`
of the authors' program.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.metric import Metric

MOST_FRAMES = 16  # of a clip; more of them tell little
_MOST = 4096  # frames of a side, as far as each clip has one
_ROWS = 1024  # frames compared at once with all others

SCALE = 1000  # as papers print it

KID = Metric(
    "kid",
    "KID x 1000",
    "lower",
    f"{SCALE} times the unbiased MMD^2 with the kernel (x.y/2048 + 1)^3 over pairs of clips, on up "
    f"to {MOST_FRAMES} frames of each, evenly spaced, {_MOST} in all; FID's features; interval by "
    "the jackknife over clips; does not rise where clips are few, may be below 0",
    variant="pairsofclips",
    needs="two clips, and the real ones, which a reference has not",
)


def chosen_frames(features: NDArray[np.floating], clips: int) -> NDArray[np.float32]:
    """The (N, 2048) features that count of a clip's (T, 2048): fewer, the more clips there are."""
    count = min(max(1, _MOST // clips), MOST_FRAMES, len(features))
    middles = (np.arange(count) + 0.5) * len(features) / count
    return np.asarray(features[middles.astype(int)], np.float32)


def kid(
    real: Sequence[NDArray[np.floating]], fake: Sequence[NDArray[np.floating]]
) -> tuple[float, list[float] | None]:
    """1000 times KID, and its 95% interval over clips; None for two clips.

    Args:
        real: (N, D) features of frames of each clip.
        fake: (M, D), the same of its fake, in the same order.

    Raises:
        ValueError: fewer than two clips.
    """
    from scipy.stats import t

    n = len(real)
    if n < 2:
        raise ValueError("KID needs at least two clips, which are compared with each other")
    across = kernel_means(real, fake)
    h = SCALE * (kernel_means(real, real) + kernel_means(fake, fake) - across - across.T)  # (n, n)
    np.fill_diagonal(h, 0)
    rows, total = h.sum(1), h.sum()
    found = float(total / (n * (n - 1)))
    if n == 2:
        return found, None
    # The statistic without each clip.
    without = (total - 2 * rows) / ((n - 1) * (n - 2))
    error = np.sqrt((n - 1) * without.var()) * t.ppf(0.975, n - 1)
    return found, [found - float(error), found + float(error)]


def kernel_means(
    one: Sequence[NDArray[np.floating]], other: Sequence[NDArray[np.floating]]
) -> NDArray[np.float64]:
    """(n, m) means of the kernel over the frames of two clips, for n and m clips.

    `one`: (N, D) features of each clip, N at least 1.
    """
    x, y = (np.concatenate(clips).astype(np.float32) for clips in (one, other))
    sums = np.zeros((len(x), len(other)))
    begins = np.cumsum([0, *map(len, other[:-1])])
    for first in range(0, len(x), _ROWS):
        products = (x[first : first + _ROWS] @ y.T).astype(np.float64) / x.shape[1]
        sums[first : first + _ROWS] = np.add.reduceat((products + 1) ** 3, begins, axis=1)
    sums = np.add.reduceat(sums, np.cumsum([0, *map(len, one[:-1])]), axis=0)
    return sums / np.outer([len(clip) for clip in one], [len(clip) for clip in other])
