"""FVD: the Fréchet distance between real and generated windows of frames in I3D's logits.

I3D of Kinetics-400, windows of frames one after another, 224x224 (Unterthiner et al., 2018). The
paper states no window, and others use 16, 32 or 128 frames; it is named with the number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.distribution.fid import distinct
from benchmarks.metrics.metric import Metric

if TYPE_CHECKING:
    from torch import Tensor, nn

WEIGHTS = "i3d-kinetics-400.ckpt"
FEATURES = 400
SIZE = 224
WINDOW = 16


def fvd_metric(window: int) -> Metric:
    """FVD on windows of `window` frames."""
    return Metric(
        "fvd",
        "FVD",
        "lower",
        f"400 logits of I3D (Kinetics-400) on windows of {window} frames, step {window}, resized "
        "to 224x224 (bilinear, half-pixel centres, no smoothing), values -1..1, covariance over "
        "N-1; few windows raise it: compare equal n only",
        variant=f"{window}f",
        needs=f"{window} frames a clip, and two windows of either side",
    )


FVD = fvd_metric(WINDOW)


def fvd_input(window: Sequence[NDArray[np.uint8]] | NDArray[np.uint8]) -> Tensor:
    """A window of T frames as I3D takes it: (3, T, 224, 224) in −1 … 1."""
    import torch
    from torch.nn import functional as F

    x = torch.from_numpy(np.asarray(window)).permute(0, 3, 1, 2).float()
    if x.shape[2:] != (SIZE, SIZE):  # it would change nothing but take a twentieth of the time
        x = F.interpolate(x, (SIZE, SIZE), mode="bilinear", align_corners=False)
    return (x / 127.5 - 1).transpose(0, 1)


def fvd_features(
    network: nn.Module, frames: Sequence[NDArray[np.uint8]], window: int = WINDOW
) -> NDArray[np.float32]:
    """Features of the whole windows of a clip; what is left over at its end does not count.

    Args:
        network: of `i3d.load_i3d`, on any device, in any precision.
        frames: (H, W, 3) uint8 RGB, all of one size.
        window: frames of a window.

    Returns:
        (T // window, 400).
    """
    import torch

    weight = next(network.parameters())
    windows = [np.stack(frames[k : k + window]) for k in range(0, len(frames) - window + 1, window)]
    kept, index = distinct(windows)
    with torch.inference_mode():
        parts = [network(fvd_input(one)[None].to(weight)).float().cpu().numpy() for one in kept]
    return np.concatenate([np.empty((0, FEATURES), np.float32), *parts])[index]
