"""How frames are drawn: the options of sampling, and what `auto` stands for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from model.config.architecture import DiffusionConfig
from model.config.choices import (
    Device,
    FormatName,
    Precision,
    SamplerChoice,
    SamplerName,
    StartChoice,
)
from pipeline.command_options import NO_OPTION

if TYPE_CHECKING:
    from model.diffusion.schedule import Schedule

# Network calls a frame: the paper's number, and for the other samplers the fewest that measured as
# good; and the step where a frame begins if it begins at the previous frame
# (benchmarks/speed/RESULTS.md, Samplers).
_CALLS: dict[str, int] = {"ancestral": 200, "ddim": 10, "dpm": 6, "sde": 10}
_PRIOR_CALLS = 2
_START_STEP: dict[str, int] = {"ancestral": 600, "ddim": 600, "dpm": 600, "sde": 800}
# Against flicker, for the samplers that draw no noise after the first; see the same tables.
_CORRELATION: dict[str, float] = {"ddim": 0.8, "dpm": 0.8}
# The same in words, for --help.
STEPS_DEFAULT = "the sampler's: dpm 6, ddim and sde 10, ancestral 200"
CORRELATION_DEFAULT = "0.8 of dpm and ddim that start at noise, else 0"


def _option(*names: str, **given: Any) -> Any:
    """An option of `--help`'s part on sampling."""
    return typer.Option(*names, rich_help_panel="How frames are drawn", **given)


@dataclass(frozen=True)
class SampleConfig:
    """How frames are drawn; see `choose_sampler` and `model.diffusion.correlated_noise`.

    Attributes:
        sampler: the method; auto is the cheapest that measured as good as 200 ancestral steps: dpm
            in 6 calls a frame; with the identity prior, as in the preset tiny, ddim in 2; for
            checkpoints that predict the noise, as the authors' do, sde in 10 from the frame before
            (benchmarks/speed/RESULTS.md, Samplers). ancestral is the paper's.
        steps: network calls a frame; 0 is the sampler's own number.
        spacing: of the steps, see `model.diffusion.schedule.respace`; `auto` is `uniform` for the
            ancestral sampler (the paper) and `quadratic` for the others.
        seed: of the noise; clip i of a batch uses seed + i.
        precision: `bf16` or `float32` arithmetic in the network.
        compiled: let torch.compile fuse the network: minutes at first, faster then.
        reanchor: show the network the identity frame in place of the older motion frame every so
            many frames, against the slow drift of long videos; the authors' is 15, 0 is never.
        start: noise, the paper's; previous: each frame begins at the one before, made noisy, so
            that the steps are spent on what changes; auto does so for checkpoints that predict the
            noise, except with the sampler ancestral.
        start_step: of the full diffusion, where a frame begins if it begins at the previous one; 0
            is the sampler's own.
        noise_correlation: of a frame's noise with that of the frame before: more is less flicker, 1
            freezes the head.
    """

    sampler: Annotated[SamplerChoice, _option()] = "auto"
    steps: Annotated[int, _option(min=0, max=1000, show_default=STEPS_DEFAULT)] = 0
    spacing: Annotated[Literal["auto", "uniform", "quadratic"], NO_OPTION] = "auto"
    seed: Annotated[int, NO_OPTION] = 0
    precision: Annotated[str, NO_OPTION] = "float32"
    compiled: Annotated[bool, _option("--compile")] = False
    reanchor: Annotated[int, _option(min=0)] = 0
    start: Annotated[StartChoice, _option()] = "auto"
    start_step: Annotated[int, NO_OPTION] = 0
    noise_correlation: Annotated[
        float | None, _option(min=0, max=1, show_default=CORRELATION_DEFAULT)
    ] = None


@dataclass(frozen=True)
class ModelOptions:
    """Which model samples, and where.

    Attributes:
        checkpoint: a run's folder (its last checkpoint), a .safetensors file, or a checkpoint of
            the authors (Lightning .ckpt, TorchScript demo .pt); or base, the published model, which
            is looked for in your folder of pretrained files.
        device: where the network runs; auto takes CUDA, else MPS, else the CPU.
        precision: arithmetic of the network; auto takes bf16 where the processor computes in it.
        weights_dir: your folder of pretrained files.
    """

    checkpoint: Path
    device: Device = "auto"
    precision: Precision = "auto"
    weights_dir: Path | None = None


@dataclass(frozen=True)
class VideoOptions:
    """Which videos to make.

    Attributes:
        out: the file to write; a folder with --pairs or --format png; a .safetensors file alone:
            the model.
        face: a picture or a video with one face.
        which_face: of several: largest, left, right, or an index from 0, the leftmost.
        speech: a recording, any container.
        pairs: instead of one face: a CSV with face,speech[,name], or a folder in which a face and a
            recording of one name are a pair.
        format: of the videos; png is a folder of frames, gif has no sound.
        seed: of the noise; each video of --pairs adds one.
        batch: videos made side by side.
        workers: processes, with --pairs, each with a model of its own.
    """

    out: Path
    face: Path | None = None
    which_face: str = "largest"
    speech: Path | None = None
    pairs: Path | None = None
    format: Annotated[
        FormatName | None, typer.Option(show_default="the suffix of --out, else mp4")
    ] = None
    seed: int = 0
    batch: Annotated[int, typer.Option(min=1)] = 8
    workers: Annotated[int, typer.Option(min=1)] = 1


@dataclass(frozen=True)
class OutputOptions:
    """What is written besides or around the frames.

    Attributes:
        paste_back: the whole picture, the face in its place, instead of the crop.
        compare: the real clip to the right: the frames of the face's video, aligned as in training.
        preview: beside the video, NAME.preview.png with twelve frames of it.
    """

    paste_back: bool = False
    compare: bool = False
    preview: bool = False


def choose_sampler(config: SampleConfig, diffusion: DiffusionConfig) -> SampleConfig:
    """The config with every `auto` replaced by its value, as it is used and recorded.

    The sampler `auto` is the cheapest setting that measured best: for networks with the identity
    prior `ddim` in 2 calls (more leave the grain of a young network), for others that predict v
    `dpm` in 6 calls, for those that predict ε, such as the authors', `sde` in 10 from the frame
    before. The tables, and on what they were measured, are in benchmarks/speed/RESULTS.md,
    Samplers.
    """
    prediction, prior = diffusion.prediction, bool(diffusion.identity_prior)
    sampler: SamplerName
    if config.sampler != "auto":
        sampler = config.sampler
    elif prior:
        sampler = "ddim"
    else:
        sampler = "sde" if prediction == "epsilon" else "dpm"
    calls = _PRIOR_CALLS if prior and sampler == "ddim" else _CALLS[sampler]
    start = config.start
    if start == "auto":
        # Where ε is predicted, x0 at the first steps is a division by nearly zero. Many small steps
        # correct it; of few, the first leaves noise that the next take for a picture.
        few = prediction == "epsilon" and sampler != "ancestral"
        start = "previous" if few else "noise"
    correlation = config.noise_correlation
    if correlation is None:
        # The frame before carries its own grain along already.
        correlation = _CORRELATION.get(sampler, 0.0) if start == "noise" else 0.0
    return replace(
        config,
        sampler=sampler,
        steps=config.steps or calls,
        start=start,
        start_step=(config.start_step or _START_STEP[sampler]) if start == "previous" else 0,
        noise_correlation=correlation,
    )


def sampling_schedule(diffusion: DiffusionConfig, config: SampleConfig) -> Schedule:
    """The steps that a chosen sampler takes, a subset of the full diffusion."""
    # Here, so that the options of a command are read without torch.
    from model.diffusion.identity_prior import diffusion_schedule
    from model.diffusion.schedule import Schedule, respace

    spacing = config.spacing
    if spacing == "auto":
        spacing = "uniform" if config.sampler == "ancestral" else "quadratic"
    full = diffusion_schedule(diffusion)
    if config.start == "previous":
        full = Schedule(full.steps[: config.start_step], full.alpha_bar[: config.start_step])
    return respace(full, config.steps, spacing)
