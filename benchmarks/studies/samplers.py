"""Samplers by quality and cost: which setting is as good as the paper's 200 ancestral steps.

Draws the first frames of test clips with every setting, the same clips with the same seeds, and
compares them with the real ones. A setting is within noise of the reference (the first in the list)
if no measure's mean difference over clips is worse with 95 % confidence, by the bootstrap over
clips. Prints Markdown.
"""

import itertools
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import cv2
import numpy as np
import typer
from numpy.typing import NDArray

from benchmarks.metrics.distribution.fid import fid_features
from benchmarks.metrics.distribution.frechet import Moments, distance
from benchmarks.metrics.image.psnr import psnr
from benchmarks.metrics.image.ssim import ssim
from benchmarks.metrics.motion.ofm import ofm
from benchmarks.networks.inception import load_inception
from benchmarks.speed.harness import header, markdown
from model.checkpoints.checkpoint import CheckpointInfo, load_talking_head, resolve
from model.device import choose_device, choose_precision
from model.sampling.autoregressive import generate_frames, make_denoiser
from model.sampling.denoiser import FrameDenoiser
from model.sampling.sample_config import SampleConfig, choose_sampler
from pipeline.dataset.shards import read_samples
from pipeline.errors import UserError
from pipeline.faces.mouth_box import mouth_opening
from pipeline.faces.sharpness import sharpness
from pipeline.faces.tracking import MediaPipeTracker, Tracker
from pipeline.media.image import resize
from pipeline.progress import progress
from pipeline.speech.lip_sync import pearson
from pipeline.weights import find, locate

Video = list[NDArray[np.uint8]]  # (S, S, 3) RGB frames
Values = NDArray[np.float64]  # (N,) a number a clip

SETTINGS = (
    "ancestral:200,ancestral:100,ancestral:50,ancestral:20,"
    "ddim:4,ddim:6,ddim:10,ddim:20,dpm:4,dpm:6,dpm:10,dpm:20,sde:6,sde:10,sde:20,"
    "dpm:6:noise_correlation=0,dpm:6:noise_correlation=0.9,"
    "ddim:4:start=previous,ddim:6:start=previous,dpm:6:start=previous"
)
# Each measure, and whether it is a share of the real clip's, best at 1; else more is better.
MEASURES = {"SSIM": False, "PSNR": False, "lips": False, "OFM": True, "sharpness": True}
_RESAMPLES = 2000


@dataclass(frozen=True)
class Result:
    """Measures of one setting; `seconds` a frame, clips side by side counted as many."""

    setting: str
    steps: int
    seconds: float
    values: dict[str, Values]
    fid: float | None


def parse(settings: str, precision: str) -> dict[str, SampleConfig]:
    """Settings SAMPLER:STEPS[:FIELD=VALUE…], with commas; fields are those of `SampleConfig`."""
    configs = {}
    for setting in settings.split(","):
        try:
            sampler, steps, *rest = setting.split(":")
            changes = {name: _parsed(value) for name, value in (one.split("=") for one in rest)}
            config = SampleConfig(sampler, int(steps), precision=precision)  # type: ignore[arg-type]
            configs[setting] = replace(config, **changes)
        except (ValueError, TypeError) as error:
            raise UserError(f"{setting!r} is no setting; write SAMPLER:STEPS") from error
    return configs


def _parsed(value: str) -> Any:
    """A number where it is one."""
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def generated(
    denoiser: FrameDenoiser,
    info: CheckpointInfo,
    clips: list[Video],
    speech: list[Any],
    config: SampleConfig,
) -> tuple[list[Video], float]:
    """The video of each clip, and the seconds a frame after the first one."""
    videos: list[Video] = [[] for _ in clips]
    begin, first = time.perf_counter(), 0
    for frames in generate_frames(
        denoiser, info.preset, [clip[0] for clip in clips], speech, config
    ):
        for video, frame in zip(videos, frames, strict=True):
            if frame is not None:
                video.append(frame)
        if not first:
            begin, first = time.perf_counter(), len(clips)
    return videos, (time.perf_counter() - begin) / max(1, sum(map(len, videos)) - first)


def lip_opening(video: Video, tracker: Tracker) -> Values:
    """(T,) opening of the inner lips; NaN without a face."""
    large = [cv2.resize(frame, (256, 256), interpolation=cv2.INTER_CUBIC) for frame in video]
    return np.asarray(mouth_opening(tracker.track(large).points), np.float64)


def measure(videos: list[Video], clips: list[Video], tracker: Tracker) -> dict[str, Values]:
    """Every measure of every clip against the real one."""
    rows = []
    for video, clip in zip(videos, clips, strict=True):
        sharp, real_sharp = (np.nanmean([sharpness(f) for f in v]) for v in (video, clip))
        pairs = list(zip(clip, video, strict=True))
        rows.append(
            [
                np.mean([ssim(*pair) for pair in pairs]),
                np.mean([psnr(*pair) for pair in pairs]),
                # 0 where the fake's lips do not move.
                np.nan_to_num(pearson(lip_opening(video, tracker), lip_opening(clip, tracker))),
                ofm(video)[1] / ofm(clip)[1],
                sharp / real_sharp,
            ]
        )
    return dict(zip(MEASURES, np.array(rows, np.float64).T, strict=True))


def worse(values: Values, reference: Values, name: str) -> bool:
    """Whether a measure is worse than the reference's over the same clips, with 95 % confidence."""
    if MEASURES[name]:
        values, reference = -np.abs(np.log(values)), -np.abs(np.log(reference))
    draws = np.random.default_rng(0).integers(len(values), size=(_RESAMPLES, len(values)))
    return bool(np.quantile((values - reference)[draws].mean(1), 0.975) < 0)


def row(result: Result, reference: Result) -> list[str]:
    """A line of the table; what is worse than the reference carries a down arrow."""
    cells = []
    for name, values in result.values.items():
        mark = " ↓" if worse(values, reference.values[name], name) else ""
        cells.append(f"{values.mean():.3f}{mark}")
    fid = "n/a" if result.fid is None else f"{result.fid:.2f}"
    return [result.setting, str(result.steps), *cells, fid, f"{result.seconds:.3f}"]


def cheapest(results: Sequence[Result]) -> Result:
    """The setting of the fewest calls that is in no measure worse than the first."""
    good = [
        one
        for one in results
        if not any(worse(v, results[0].values[name], name) for name, v in one.values.items())
    ]
    return min(good, key=lambda one: (one.steps, one.seconds))


def main(
    checkpoint: Annotated[Path, typer.Option(help="A run's folder or a .safetensors file.")],
    data: Annotated[Path, typer.Option(help="A data set made by dh-prep.")],
    settings: Annotated[
        str, typer.Option(help="SAMPLER:STEPS[:FIELD=VALUE…], with commas.")
    ] = SETTINGS,
    split: str = "test",
    clips: Annotated[int, typer.Option(min=2)] = 8,
    frames: Annotated[int, typer.Option(min=10, help="Of a clip, at most.")] = 50,
    device: str = "auto",
) -> None:
    """Prints the table sampler x steps, and the cheapest setting within noise of the first."""
    chosen = choose_device(device)  # type: ignore[arg-type]
    configs = parse(settings, choose_precision("auto", chosen))
    model, info = load_talking_head(resolve(checkpoint), chosen)
    size, preset = info.preset.unet.image_size, info.preset
    tracker = MediaPipeTracker(locate("face_landmarker.task"))
    inception = load_inception(locate("inception-2015.pt")) if find("inception-2015.pt") else None
    samples = list(itertools.islice(read_samples(data, split), clips))
    if len(samples) < 2:
        raise UserError(f"{data} has fewer than two clips of the split {split}")
    real = [[resize(f, (size, size)) for f in itertools.islice(s.frames, frames)] for s in samples]
    speech = [sample.speech[: len(clip)] for sample, clip in zip(samples, real, strict=True)]

    def moments(videos: list[Video]) -> Moments | None:
        flat = list(itertools.chain.from_iterable(videos))
        return Moments.of(fid_features(inception, flat)) if inception else None

    seen, results = moments(real), []
    with progress("settings", len(configs)) as step:
        for setting, given in configs.items():
            config = choose_sampler(given, preset.diffusion)
            denoiser = make_denoiser(model, preset, config)
            videos, seconds = generated(denoiser, info, real, speech, config)
            drawn = moments(videos)
            fid = distance(drawn, seen) if drawn and seen else None
            values = measure(videos, real, tracker)
            results.append(Result(setting, config.steps, seconds, values, fid))
            step(setting)
    print(header(["torch"]))
    print(
        f"{preset.name} after {info.step} steps, {len(real)} clips; OFM and sharpness as shares of"
    )
    print("the real clips'; ↓: worse than the first row with 95 % confidence over clips\n")
    headings = ["setting", "steps", *MEASURES, "FID", "seconds a frame"]
    print(markdown(headings, [row(one, results[0]) for one in results]))
    print(f"\ncheapest within noise: {cheapest(results).setting}")


if __name__ == "__main__":
    typer.run(main)
