"""The pretrained networks that metrics need, loaded once, or the reason why one is not there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from benchmarks.metrics import csim, i3d, inception, syncnet
from pipeline.errors import UserError
from pipeline.landmarks import MediaPipeTracker
from pipeline.weights import FILES, locate

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

LANDMARKS = "face_landmarker.task"
# Which metrics look through which network.
USED_BY = {
    LANDMARKS: (
        "blinks_per_second",
        "blink_duration",
        "lip_lag",
        "lip_correlation",
        "lmd",
        "csim",
        "av_offset",
        "av_confidence",
        "lse_c",
        "lse_d",
    ),
    inception.WEIGHTS: ("fid",),
    i3d.WEIGHTS: ("fvd",),
    syncnet.WEIGHTS: ("av_offset", "av_confidence", "lse_c", "lse_d"),
    csim.WEIGHTS: ("csim",),
}
_IN_BFLOAT16 = (inception.WEIGHTS, i3d.WEIGHTS)
_LOADERS: dict[str, Callable[[Path], Any]] = {
    LANDMARKS: MediaPipeTracker,
    inception.WEIGHTS: inception.load_inception,
    i3d.WEIGHTS: i3d.load_i3d,
    syncnet.WEIGHTS: syncnet.load_syncnet,
    csim.WEIGHTS: csim.FaceEmbedder,
}


class AbsentError(Exception):
    """A metric that cannot be measured on a clip, or at all; the text says why, and the remedy."""


@dataclass
class Networks:
    """What there is of the networks; each is loaded when it is first used.

    Attributes:
        paths: of the files that are there, by name.
        absent: why the others are not, by name.
        device: where the networks of FID, FVD and SyncNet compute.
        dtype: of FID's and FVD's.
    """

    paths: dict[str, Path]
    absent: dict[str, str]
    device: torch.device
    dtype: torch.dtype
    _loaded: dict[str, Any] = field(default_factory=dict)

    def get(self, name: str) -> Any:
        """The network of a file.

        Raises:
            AbsentError: it is not there.
        """
        if name in self.absent:
            raise AbsentError(self.absent[name])
        if name not in self._loaded:
            try:
                network = _LOADERS[name](self.paths[name])
            except UserError as error:
                self.absent[name] = str(error)
                raise AbsentError(str(error)) from error
            if isinstance(network, torch.nn.Module):
                network = network.to(self.device)
            if name in _IN_BFLOAT16:
                network = network.to(self.dtype)
            self._loaded[name] = network
        return self._loaded[name]

    def digests(self, measured: Collection[str]) -> dict[str, str]:
        """SHA-256, by name, of the files that some metrics were measured with."""
        used = (name for name in self.paths if set(USED_BY[name]) & set(measured))
        return {name: FILES[name].sha256 for name in used}


def find_networks(
    metrics: Collection[str],
    weights_dir: Path | None,
    device: torch.device,
    dtype: torch.dtype,
) -> Networks:
    """Finds, or fetches, the files that some metrics need.

    Args:
        metrics: names of metrics.
        weights_dir: the user's folder of pretrained files.
        device: where the networks are to compute.
        dtype: in which FID's and FVD's are to.
    """
    paths: dict[str, Path] = {}
    absent: dict[str, str] = {}
    for name, users in USED_BY.items():
        if not set(users) & set(metrics):
            continue
        try:
            paths[name] = locate(name, weights_dir)
        except UserError as error:
            absent[name] = str(error)
    return Networks(paths, absent, device, dtype)
