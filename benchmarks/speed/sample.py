"""Speed of sampling, beside the plain released way: frames a second, and the first frame.

Weights are random: speed does not depend on them. All rows of a size take turns in every round. On
a GPU the same command gives its rows, with `--compile` by CUDA graphs. Prints Markdown. `--presets
crema` takes ten minutes on two cores, the default less than two.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Annotated

import numpy as np
import torch
import typer

from benchmarks.speed.harness import header, in_turns, load, markdown
from model.config.choices import SamplerChoice
from model.config.presets import Preset
from model.config.presets import preset as preset_named
from model.device import choose_device, choose_precision
from model.diffusion.ancestral import ancestral
from model.diffusion.prediction import Denoised, denoise_output
from model.diffusion.schedule import cosine_schedule, respace
from model.network.talking_head import Conditions, SpeechFormat, TalkingHead
from model.sampling.autoregressive import generate_frames, make_denoiser
from model.sampling.denoiser import call_flops
from model.sampling.sample_config import SampleConfig, choose_sampler
from pipeline.speech.mfcc import COEFFICIENTS, MFCC_DIM, STEPS

RELEASED_STEPS = 100


def build(preset: Preset, device: torch.device) -> TalkingHead:
    """A model with random weights, none of them zero."""
    torch.manual_seed(0)
    model = TalkingHead(preset, SpeechFormat(STEPS, COEFFICIENTS, [0.0] * 13, [1.0] * 13))
    for parameter in model.parameters():
        parameter.data.normal_(0, 0.02)
    return model.to(device).eval().requires_grad_(requires_grad=False)


def released_way(model: TalkingHead, preset: Preset, steps: int) -> Callable[[], None]:
    """Draws a frame as the released code does: everything anew at every step, in float32."""
    device, unet = next(model.parameters()).device, preset.unet
    size, motion = unet.image_size, unet.motion_frames * unet.motion_channels
    conditions = Conditions(
        torch.zeros(1, 3, size, size, device=device),
        torch.zeros(1, motion, size, size, device=device),
        torch.zeros(1, unet.speech_window, MFCC_DIM, device=device),
    )
    schedule = respace(cosine_schedule(preset.diffusion.steps), steps)

    def denoise(x: torch.Tensor, index: int) -> Denoised:
        t = torch.full((1,), int(schedule.steps[index]), device=device)
        output = model(x, t, conditions)
        return denoise_output(output, x, index, schedule, preset.diffusion.prediction)

    def noise() -> torch.Tensor:
        return torch.randn(1, 3, size, size, device=device)

    def frame() -> None:
        ancestral(denoise, noise(), noise, schedule).cpu()

    return frame


def ours(
    model: TalkingHead, preset: Preset, config: SampleConfig, batch: int
) -> tuple[Callable[[], None], Callable[[], None]]:
    """Two functions: the next frame of endless videos, and the first frame of new ones."""
    denoiser = make_denoiser(model, preset, config)
    face = np.zeros((preset.unet.image_size, preset.unet.image_size, 3), np.uint8)

    def videos() -> Iterator[object]:
        silence = itertools.repeat(np.zeros(MFCC_DIM, np.float32))
        return generate_frames(denoiser, preset, [face] * batch, [silence] * batch, config)

    running = videos()

    def following() -> None:
        next(running)

    def first() -> None:
        next(videos())

    return following, first


def peak(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a large matrix product, the best of six."""
    side = 8192 if device.type == "cuda" else 2048
    left = torch.randn(side, side, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(6):
        begin = time.perf_counter()
        float((left @ left)[0, 0])  # read, so that a GPU has finished
        best = min(best, time.perf_counter() - begin)
    return 2 * side**3 / best


def measure(
    name: str,
    device: torch.device,
    config: SampleConfig,
    calls: Sequence[int],
    rounds: int,
    plain: int,
    batch: int,
) -> list[list[str]]:
    """The rows of one size."""
    preset = preset_named(name)
    model = build(preset, device)
    released = f"released: {RELEASED_STEPS} ancestral steps, float32"
    # A function for each row, how many times its seconds make a frame, and its calls a frame.
    ways = {released: (released_way(model, preset, plain), RELEASED_STEPS / plain, 0)}
    for steps in calls:
        chosen = choose_sampler(replace(config, steps=steps), preset.diffusion)
        how = f"{chosen.sampler} in {chosen.steps} {'call' if chosen.steps == 1 else 'calls'}"
        one, first = ours(model, preset, chosen, 1)
        many, _ = ours(model, preset, chosen, batch)
        ways[f"ours, one clip: {how}"] = (one, 1.0, chosen.steps)
        ways[f"ours, first frame of a clip: {how}"] = (first, 1.0, chosen.steps)
        ways[f"ours, {batch} clips side by side: {how}"] = (many, 1 / batch, chosen.steps)
    seconds = in_turns({label: frame for label, (frame, *_) in ways.items()}, rounds)
    seconds = {label: value * ways[label][1] for label, value in seconds.items()}
    best = peak(device, torch.bfloat16 if config.precision == "bf16" else torch.float32)
    rows = []
    for label, value in seconds.items():
        work = ways[label][2] * call_flops(preset.unet)
        share = f"{100 * work / value / best:.0f} %" if work else ""
        ratio = f"{seconds[released] / value:.1f}"
        rows.append([name, label, f"{value:.4g}", f"{1 / value:.3g}", ratio, share])
    return rows


def main(
    presets: Annotated[str, typer.Option(help="Sizes, with commas.")] = "tiny,grid",
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    plain_steps: Annotated[
        int, typer.Option(min=2, help="Steps timed of the 100 of the released way.")
    ] = 4,
    sampler: SamplerChoice = "auto",
    calls: Annotated[
        str, typer.Option(help="Calls a frame of ours, with commas; 0 is the sampler's own number.")
    ] = "0,1",
    batch: Annotated[int, typer.Option(min=2, help="Clips side by side.")] = 8,
    compiled: Annotated[bool, typer.Option("--compile")] = False,
    device: str = "auto",
) -> None:
    """Prints seconds a frame of the released way and of ours."""
    chosen = choose_device(device)  # type: ignore[arg-type]
    precision = choose_precision("auto", chosen)
    config = SampleConfig(sampler, precision=precision, compiled=compiled)
    print(header(["torch"]))
    rows = []
    for name in presets.split(","):
        counts = [int(count) for count in calls.split(",")]
        rows += measure(name, chosen, config, counts, rounds, plain_steps, batch)
    print(f"{precision}, {torch.get_num_threads()} threads; {load()} at the end\n")
    headings = ["size", "way", "seconds a frame", "frames a second", "times as fast"]
    print(markdown([*headings, "of the limit"], rows))


if __name__ == "__main__":
    typer.run(main)
