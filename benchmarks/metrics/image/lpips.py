"""LPIPS: how different two frames look, by AlexNet's features (Zhang et al., 2018), version 0.1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from benchmarks.metrics.metric import Metric

if TYPE_CHECKING:
    from torch import Tensor, nn

WEIGHTS = "lpips-alexnet.ckpt"
_SMALLEST = 31  # pixels of a side from which the last convolutions see anything
_BATCH = 16
LPIPS = Metric(
    "lpips",
    "LPIPS",
    "lower",
    "version 0.1, AlexNet with linear heads, values -1..1, whole frames at the compared size; mean "
    "over frames, then clips",
    variant="alex",
    needs="31 pixels a side",
)


def lpips(
    network: nn.Module, real: Sequence[NDArray[np.uint8]], fake: Sequence[NDArray[np.uint8]]
) -> NDArray[np.float64]:
    """Distance of frame k of both: (T,), 0 for equal ones.

    Args:
        network: of `benchmarks.networks.lpips.load_lpips`, on any device.
        real: (H, W, 3) uint8 RGB, all of one size, at least one.
        fake: as many, of the same size.

    Raises:
        ValueError: they are too small for the network.
    """
    import torch

    if min(real[0].shape[:2]) < _SMALLEST:
        raise ValueError(f"LPIPS needs frames of at least {_SMALLEST} pixels a side")
    weight = next(network.parameters())

    def batch(frames: Sequence[NDArray[np.uint8]]) -> Tensor:
        return torch.from_numpy(np.stack(frames)).permute(0, 3, 1, 2).to(weight) / 127.5 - 1

    with torch.inference_mode():
        parts = [
            network(batch(real[k : k + _BATCH]), batch(fake[k : k + _BATCH])).cpu().numpy()
            for k in range(0, len(real), _BATCH)
        ]
    return np.concatenate(parts).astype(np.float64)
