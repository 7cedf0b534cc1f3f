"""The pretrained networks that metrics need, loaded once, or the reason why one is missing."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.metrics.distribution import fid, fvd
from benchmarks.metrics.image import csim, lpips
from benchmarks.metrics.image.region import Region
from benchmarks.metrics.speech import av_sync
from benchmarks.scoring.score_options import ScoreOptions
from pipeline.errors import UserError
from pipeline.faces.networks.embedding import import_dlib
from pipeline.weights import FILES, locate

LANDMARKS = "face_landmarker.task"
SYNC = ("av_offset", "av_confidence", "lse_c", "lse_d")
_LIPS = ("lip_lag", "lip_correlation", "sync_lag", "sync_confidence")
_FACE = ("blinks_per_second", "blink_duration", *_LIPS, "lmd", "csim", *SYNC)
_FRAMES = ("ssim", "psnr", "mse")  # need the landmarks where they look at a face
_USED_BY = {
    LANDMARKS: _FACE,
    lpips.WEIGHTS: ("lpips",),
    fid.WEIGHTS: ("fid", "kid"),
    fvd.WEIGHTS: ("fvd",),
    av_sync.WEIGHTS: SYNC,
    csim.WEIGHTS: ("csim",),
}


def used_by(region: Region = "frame") -> dict[str, tuple[str, ...]]:
    """Which metrics need which network."""
    return _USED_BY if region == "frame" else _USED_BY | {LANDMARKS: (*_FACE, *_FRAMES)}


class UnavailableError(Exception):
    """A metric cannot be measured on a clip, or at all; the text gives reason and remedy."""


@dataclass
class Networks:
    """The networks whose files were found; each is loaded when it is first used."""

    options: ScoreOptions  # of the run: where networks compute, and in which precision
    paths: dict[str, Path] = field(default_factory=dict)  # of the files that are there, by name
    absent: dict[str, str] = field(default_factory=dict)  # why the others are not, by name
    _loaded: dict[str, Any] = field(default_factory=dict)

    def require(self, name: str) -> None:
        """Raises an UnavailableError if the file of a network is not there."""
        if name in self.absent:
            raise UnavailableError(self.absent[name])

    def get(self, name: str) -> Any:
        """The network of a file; an UnavailableError if it is not there, or does not load."""
        self.require(name)
        if name not in self._loaded:
            try:
                self._loaded[name] = self._load(name)
            except UserError as error:
                self.absent[name] = str(error)
                raise UnavailableError(str(error)) from error
        return self._loaded[name]

    def _load(self, name: str) -> Any:
        """Torch and the like take seconds to import, which what is in the cache does not need."""
        path = self.paths[name]
        if name == LANDMARKS:
            from pipeline.faces.tracking import MediaPipeTracker

            return MediaPipeTracker(path)
        if name == csim.WEIGHTS:
            return csim.FaceEmbedder(path)
        import torch

        from benchmarks.networks.i3d import load_i3d
        from benchmarks.networks.inception import load_inception
        from benchmarks.networks.lpips import load_lpips
        from benchmarks.networks.syncnet import load_syncnet
        from model.device import choose_device

        device = choose_device(self.options.device)
        if name == av_sync.WEIGHTS:
            return load_syncnet(path).to(device)
        if name == lpips.WEIGHTS:
            return load_lpips(path).to(device)
        load = load_inception if name == fid.WEIGHTS else load_i3d
        bf16 = self.options.precision == "bf16"
        return load(path).to(device, torch.bfloat16 if bf16 else torch.float32)

    def digests(self, measured: Collection[str]) -> dict[str, str]:
        """SHA-256, by name, of the files that some metrics were measured with."""
        users = used_by(self.options.region)
        used = (name for name in self.paths if set(users[name]) & set(measured))
        return {name: FILES[name].sha256 for name in used}


def find_networks(options: ScoreOptions) -> Networks:
    """Finds, or fetches, the files that the chosen metrics need."""
    if options.device in {"cuda", "mps"}:
        from model.device import choose_device

        choose_device(options.device)
    networks = Networks(options)
    for name, users in used_by(options.region).items():
        if not set(users) & set(options.metrics):
            continue
        try:
            if name == csim.WEIGHTS:
                import_dlib()  # without it the file is of no use
            networks.paths[name] = locate(name, options.weights_dir)
        except UserError as error:
            networks.absent[name] = str(error)
    return networks
