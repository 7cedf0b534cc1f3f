"""Samplers by their quality and their cost: which setting is as good as the paper's 200 steps.

Draws the first frames of test clips with every sampler and number of steps, the same clips with the
same seeds, and compares with the real ones. A setting is within noise of the reference (the first
in the list, ancestral in 200 steps) if no measure's mean difference over clips is surely worse, by
the 95 % bootstrap interval over clips. It prints Markdown and writes the numbers as JSON.

    python benchmarks/speed/samplers.py --checkpoint RUN --data SET --out samplers.json
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from benchmarks.metrics.frechet import Moments, distance
from benchmarks.speed.report import header, markdown
from benchmarks.speed.sampler_measures import (
    MEASURES,
    Clip,
    inception_features,
    lips,
    measure,
    worse,
)
from model.checkpoints.checkpoint import load_model, resolve
from model.data.training_frame import as_tensor
from model.device import choose_device, choose_precision
from model.sampling.autoregressive import SampleConfig, choose_sampler, draw, make_denoiser
from pipeline.dataset.shards import read_samples
from pipeline.errors import UserError
from pipeline.faces.tracking import MediaPipeTracker
from pipeline.files import write_json
from pipeline.progress import progress
from pipeline.weights import locate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from model.checkpoints.checkpoint import Info
    from model.sampling.denoiser import Stepper

    Frame = NDArray[np.uint8]

SETTINGS = (
    "ancestral:200,ancestral:100,ancestral:50,ancestral:20,"
    "ddim:4,ddim:6,ddim:10,ddim:20,dpm:4,dpm:6,dpm:10,dpm:20,sde:6,sde:10,sde:20,"
    "dpm:6:noise_correlation=0,dpm:6:noise_correlation=0.9,"
    "ddim:4:start=previous,ddim:6:start=previous,dpm:6:start=previous"
)


@dataclass(frozen=True)
class Result:
    """What a setting gave.

    Attributes:
        config: how frames were drawn.
        seconds: a frame of one clip, clips side by side counted as many.
        values: per measure, a number a clip.
        features: Fréchet distance of the frames' Inception features; None where it is not at hand.
    """

    config: SampleConfig
    seconds: float
    values: dict[str, NDArray[np.float64]]
    features: float | None


def parse(settings: str, precision: str) -> list[SampleConfig]:
    """Settings SAMPLER:STEPS[:FIELD=VALUE…], with commas; the fields are those of `SampleConfig`.

    Raises:
        UserError: one is none.
    """
    configs = []
    for setting in settings.split(","):
        try:
            sampler, steps, *rest = setting.split(":")
            changes = {field: _parsed(value) for field, value in (one.split("=") for one in rest)}
            config = SampleConfig(sampler, int(steps), precision=precision)  # type: ignore[arg-type]
            configs.append(replace(config, **changes))
        except (ValueError, TypeError) as error:
            raise UserError(f"{setting!r} is no setting; write SAMPLER:STEPS") from error
    return configs


def _parsed(value: str) -> Any:
    """A number where it is one."""
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


def read_clips(data: Path, info: Info, split: str, count: int, frames: int) -> list[Clip]:
    """The first clips of a split, at most so many frames of each."""
    size = info.preset.unet.image_size
    clips = []
    for sample in itertools.islice(read_samples(data, split), count):
        pictures = [sample.frames[k] for k in range(min(frames, len(sample.frames)))]
        scaled = [
            np.ascontiguousarray(as_tensor(one, size).permute(1, 2, 0).numpy()) for one in pictures
        ]
        clips.append(Clip(scaled, sample.speech[: len(scaled)]))
    if len(clips) < 2:
        raise UserError(f"{data} has fewer than two clips of the split {split}")
    return clips


def generated(
    denoiser: Stepper, info: Info, clips: list[Clip], config: SampleConfig
) -> tuple[list[list[Frame]], float]:
    """The video of each clip, and the seconds that all took; the first frame's are left out."""
    videos: list[list[Frame]] = [[] for _ in clips]
    faces, speech = [clip.frames[0] for clip in clips], [clip.speech for clip in clips]
    begin, first = time.perf_counter(), 0
    for frames in draw(denoiser, info.preset, faces, speech, config):
        for video, frame in zip(videos, frames, strict=True):
            if frame is not None:
                video.append(frame)
        if not first:
            begin, first = time.perf_counter(), len(clips)
    return videos, (time.perf_counter() - begin) / max(1, sum(map(len, videos)) - first)


def row(result: Result, reference: Result) -> list[str]:
    """A line of the table; what is surely worse than the reference carries a down arrow."""
    cells = []
    for name, values in result.values.items():
        mark = " ↓" if worse(values, reference.values[name], name) else ""
        cells.append(f"{values.mean():.3f}{mark}")
    config = result.config
    label = " ".join([config.sampler, *changed(config)])
    features = "n/a" if result.features is None else f"{result.features:.2f}"
    return [label, str(config.steps), *cells, features, f"{result.seconds:.3f}"]


def changed(config: SampleConfig) -> list[str]:
    """What a setting has besides sampler, steps and precision: not fresh noise for each frame."""
    plain = SampleConfig(
        config.sampler,
        config.steps,
        precision=config.precision,
        start="noise",
        noise_correlation=0.0,
    )
    return [
        f"{name}={value}" for name, value in vars(config).items() if value != getattr(plain, name)
    ]


def cheapest(results: list[Result]) -> Result:
    """The setting of the fewest calls that is in no measure surely worse than the first."""
    good = [
        one
        for one in results
        if not any(worse(v, results[0].values[name], name) for name, v in one.values.items())
    ]
    return min(good, key=lambda one: (one.config.steps, one.seconds))


def main(
    checkpoint: Annotated[Path, typer.Option(help="A run's folder or a .safetensors file.")],
    data: Annotated[Path, typer.Option(help="A data set made by dh-prep.")],
    out: Annotated[Path, typer.Option(help="The numbers as JSON.")] = Path("samplers.json"),
    settings: Annotated[
        str, typer.Option(help="SAMPLER:STEPS[:FIELD=VALUE…], with commas.")
    ] = SETTINGS,
    split: str = "test",
    clips: Annotated[int, typer.Option(min=2)] = 8,
    frames: Annotated[int, typer.Option(min=10, help="Of a clip, at most.")] = 50,
    device: str = "auto",
    weights_dir: Path | None = None,
) -> None:
    """Prints the table sampler x steps, and the cheapest setting within noise of the first."""
    chosen = choose_device(device)  # type: ignore[arg-type]
    wanted = parse(settings, choose_precision("auto", chosen))
    model, info = load_model(resolve(checkpoint), chosen)
    configs = [choose_sampler(one, info.preset.diffusion.prediction) for one in wanted]
    tracker = MediaPipeTracker(locate("face_landmarker.task", weights_dir))
    features = inception_features(weights_dir)
    real = read_clips(data, info, split, clips, frames)
    openings = [lips(clip.frames, tracker) for clip in real]
    seen = features([f for clip in real for f in clip.frames]) if features else None
    results = []
    with progress("settings", len(configs)) as step:
        for config in configs:
            videos, seconds = generated(
                make_denoiser(model, info.preset, config), info, real, config
            )
            values = measure(videos, real, openings, tracker)
            found = None
            if features and seen is not None:
                drawn = features([f for video in videos for f in video])
                found = distance(Moments.of(drawn), Moments.of(seen))
            results.append(Result(config, seconds, values, found))
            step(f"{config.sampler} {config.steps}")
    report(results, info, out)


def report(results: list[Result], info: Info, out: Path) -> None:
    """Prints the table and writes the numbers."""
    best = cheapest(results)
    print(header("python " + " ".join(sys.argv), ["torch"]))
    count = len(next(iter(results[0].values.values())))
    print(f"{info.preset.name} after {info.step} steps, {count} clips; OFM and sharpness as shares")
    print("of the real clips'; ↓: surely worse than the first row, 95 % over clips\n")
    headings = ["sampler", "steps", *MEASURES, "FID", "seconds a frame"]
    print(markdown(headings, [row(one, results[0]) for one in results]))
    chosen = " ".join([best.config.sampler, f"in {best.config.steps} steps", *changed(best.config)])
    print(f"\ncheapest within noise: {chosen}")
    write_json(out, [described(one) for one in results])
    print(f"wrote {out}")


def described(result: Result) -> dict[str, Any]:
    """A result as it lies in the JSON."""
    config = result.config
    return {
        "sampler": config.sampler,
        "steps": config.steps,
        "start": config.start,
        "changed": changed(config),
        "seconds_a_frame": result.seconds,
        "fid": result.features,
        "clips": {name: values.tolist() for name, values in result.values.items()},
    }


if __name__ == "__main__":
    typer.run(main)
