"""FID: the Fréchet distance between real and generated frames in Inception's features.

The 2015 network, 2048 features, frames resized to 299x299 (Heusel et al., 2017). The paper states
neither which frames nor which resize; both are named with the number.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.metric import Metric

if TYPE_CHECKING:
    from torch import Tensor, nn

FID = Metric(
    "fid",
    "FID",
    "lower",
    "2048 features of the 2015 Inception on every frame, resized to 299x299 (bilinear, half-pixel "
    "centres, no smoothing), covariance over N-1; few frames raise it: compare equal n only",
    variant="allframes",
    needs="two frames of either side; with --reference none of the real",
)
WEIGHTS = "inception-2015.pt"
FEATURES = 2048
SIZE = 299
_BATCH = 8  # more does not fit a processor's cache


def fid_input(frames: Sequence[NDArray[np.uint8]]) -> Tensor:
    """Frames as Inception takes them: (N, 3, 299, 299) in −1 … 127/128."""
    import torch
    from torch.nn import functional as F

    x = torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).float()
    x = F.interpolate(x, (SIZE, SIZE), mode="bilinear", align_corners=False)
    return (x - 128) / 128


def fid_features(network: nn.Module, frames: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Features of a clip's frames.

    Args:
        network: of `inception.load_inception`, on any device, in any precision.
        frames: (H, W, 3) uint8 RGB, all of one size.

    Returns:
        (T, 2048).
    """
    import torch

    weight = next(network.parameters())
    kept, index = distinct(frames)
    parts = [np.empty((0, FEATURES), np.float32)]
    with torch.inference_mode():
        for first in range(0, len(kept), _BATCH):
            batch = fid_input(kept[first : first + _BATCH]).to(weight)
            parts.append(network(batch).float().cpu().numpy())
    return np.concatenate(parts)[index]


def distinct(
    pictures: Sequence[NDArray[np.uint8]],
) -> tuple[list[NDArray[np.uint8]], NDArray[np.intp]]:
    """The pictures without repetitions, and where in that list each of them is.

    A clip of fewer frames a second than 25 repeats some, and a frozen one all.
    """
    places: dict[bytes, int] = {}
    index = [places.setdefault(picture.tobytes(), len(places)) for picture in pictures]
    _, first = np.unique(index, return_index=True)
    return [pictures[k] for k in first], np.array(index, np.intp)
