"""Means and covariances of real clips kept in a file, so that they are measured once.

The file is a NumPy archive. `mu` and `sigma` are FID's, as in the statistics of pytorch-fid and of
others that follow it, which read this file and whose files are read here; `fvd_mu` and `fvd_sigma`
are FVD's, and `about` says in JSON what was measured, and how.
"""

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.clips.cache import MeasurementCache
from benchmarks.clips.paired_frames import compared_size
from benchmarks.clips.pairs import RealClip, chosen_split, for_each_clip
from benchmarks.metrics.catalogue import METRICS, as_measured
from benchmarks.metrics.distribution.fid import FEATURES as FID_FEATURES
from benchmarks.metrics.distribution.frechet import Moments
from benchmarks.metrics.distribution.fvd import FEATURES as FVD_FEATURES
from benchmarks.scoring.clip_metrics import frame_size
from benchmarks.scoring.clip_videos import ClipVideos, MeasureSetup
from benchmarks.scoring.pretrained import UnavailableError, find_networks
from benchmarks.scoring.score_options import FeatureOptions, ScoreOptions
from pipeline.errors import UserError
from pipeline.files import atomic_path, sha256_file

# Keys of each metric's mean and covariance, and the number of features.
_ARRAYS = {"fid": ("mu", "sigma", FID_FEATURES), "fvd": ("fvd_mu", "fvd_sigma", FVD_FEATURES)}
_SHAPING = ("max_frames", "image_size", "precision")  # options that a reference and a run share


@dataclass(frozen=True)
class Reference:
    """Statistics of real clips."""

    moments: dict[str, Moments]  # of the features, by metric: `fid`, `fvd` or both
    source: str  # the file and whose clips, for the protocol
    about: dict[str, Any]  # what the file says of itself; empty for one of another program


def make_reference(
    real: Path, out: Path, metrics: Sequence[str], options: FeatureOptions
) -> dict[str, str]:
    """Writes statistics of real clips; gives the reason, by clip id, why one is left out."""
    unknown = [name for name in metrics if name not in _ARRAYS]
    if unknown or not metrics:
        raise UserError(f"a reference is of fid and fvd, not of {', '.join(unknown) or 'nothing'}")
    run = ScoreOptions(**vars(options) | {"metrics": tuple(metrics)})
    networks = find_networks(run)
    split = chosen_split(real, options.split)
    moments = {name: Moments.empty(_ARRAYS[name][2]) for name in metrics}
    digests: list[str] = []
    with tempfile.TemporaryDirectory(prefix="dh-bench-") as folder:
        cache = MeasurementCache(options.cache or Path(folder))
        setup = MeasureSetup(run, networks, cache)

        def measure(clip: RealClip) -> None:
            video = clip.open(options.max_frames)
            videos = ClipVideos(setup, video, video, (0, 0), clip.origin, clip.origin)
            whole = videos.of_both("frame size", frame_size)[0]
            size = compared_size(whole, whole, options.image_size)
            for name in metrics:
                key, _ = replace(videos, size=size).features(name, video)
                moments[name].add(cache.load(key))
            digests.append(video.digest)

        try:
            failed = for_each_clip(real, split, "clips", measure)
        except UnavailableError as error:
            raise UserError(str(error)) from error
    for name, found in moments.items():
        if found.count < 2:
            raise UserError(f"{real} has too few frames for {METRICS[name].label}; take more clips")

    about = {
        "format": 1,
        "dataset": options.dataset or real.resolve().name,
        "split": split,
        **{name: getattr(options, name) for name in _SHAPING},
        "clips": len(digests),
        # The clips are named by their content, whatever their order.
        "content_sha256": hashlib.sha256("".join(sorted(digests)).encode()).hexdigest(),
        "vectors": {name: round(found.count) for name, found in moments.items()},
        "protocols": _protocols(metrics, options),
        "weights": networks.digests(metrics),
    }
    arrays: dict[str, Any] = {"about": np.array(json.dumps(about))}
    for name, found in moments.items():
        mean, covariance, _ = _ARRAYS[name]
        arrays |= {mean: found.mean, covariance: found.covariance}
    with atomic_path(out) as temporary, temporary.open("wb") as file:
        np.savez(file, **arrays)
    return failed


def read_reference(path: Path) -> Reference:
    """Statistics of real clips, ours or those of pytorch-fid."""
    remedy = "make one with dh-bench reference, or give the .npz of pytorch-fid"
    if not path.is_file():
        raise UserError(f"no such file: {path}; {remedy}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        about = json.loads(str(arrays["about"])) if "about" in arrays else {}
    except (OSError, ValueError, AttributeError, zipfile.BadZipFile) as error:
        raise UserError(f"{path} does not read as statistics of real clips; {remedy}") from error
    moments = {}
    for name, (mean, covariance, features) in _ARRAYS.items():
        if not {mean, covariance} <= arrays.keys():
            continue
        mu, sigma = arrays[mean], arrays[covariance]
        if mu.shape != (features,) or sigma.shape != (features, features):
            raise UserError(
                f"{path}: {mean} is of {mu.shape} and {covariance} of {sigma.shape}, which are not "
                f"the {features} features of {METRICS[name].label}"
            )
        if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
            raise UserError(f"{path}: {mean} or {covariance} is not finite; make it again")
        moments[name] = Moments.of_gaussian(mu, sigma)
    if not moments:
        raise UserError(f"{path} holds no mu and sigma; {remedy}")
    whose = f"{about['clips']} clips of {about['dataset']}" if about else "another program's clips"
    source = f"{whose} in {path.name} (SHA-256 {sha256_file(path)[:12]})"
    return Reference(moments, source, about)


def check_reference(reference: Reference, options: FeatureOptions, weights: dict[str, str]) -> None:
    """Makes sure that a run measures fakes as the reference was; else it raises a UserError.

    What another program's says nothing of is not checked. `weights`: SHA-256 of the run's networks.
    """
    about = reference.about
    own: dict[str, Any] = {name: getattr(options, name) for name in _SHAPING}
    own["protocols"] = _protocols(reference.moments, options)
    own["weights"] = {k: v for k, v in weights.items() if k in about.get("weights", {})}
    for name, value in own.items():
        there = about.get(name, value)
        there = {k: there[k] for k in value} if name == "weights" else there
        if there != value:
            raise UserError(
                f"the reference, {reference.source}, was measured with other {name} "
                f"({there}, this run's: {value}); give the same or make it again"
            )


def _protocols(metrics: Iterable[str], options: FeatureOptions) -> dict[str, str]:
    return {name: as_measured(name, fvd_frames=options.fvd_frames).protocol for name in metrics}


def metrics_of(path: Path | None) -> frozenset[str]:
    """Metrics whose real side a reference has, found without reading its arrays."""
    if path is None:
        return frozenset()
    with np.load(path, allow_pickle=False) as archive:
        return frozenset(name for name, (mean, *_) in _ARRAYS.items() if mean in archive.files)
