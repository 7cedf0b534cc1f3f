"""How frames are drawn: the options of sampling, and what `auto` stands for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from model.config.choices import (  # noqa: TC001 - typer reads the annotations
    SamplerChoice,
    SamplerName,
    StartChoice,
)

if TYPE_CHECKING:
    from model.config.architecture import DiffusionConfig
    from model.diffusion.schedule import Schedule

# Network calls a frame: the paper's number, and for the other samplers the fewest that measured as
# good; and the step where a frame begins if it begins at the previous frame
# (benchmarks/speed/RESULTS.md, Samplers).
_CALLS: dict[str, int] = {"ancestral": 200, "ddim": 10, "dpm": 6, "sde": 10}
_PRIOR_CALLS = 2
_START_STEP: dict[str, int] = {"ancestral": 600, "ddim": 600, "dpm": 600, "sde": 800}
# Against flicker, for the samplers that draw no noise after the first; see the same tables.
_CORRELATION: dict[str, float] = {"ddim": 0.8, "dpm": 0.8}


@dataclass(frozen=True)
class SampleConfig:
    """How frames are drawn.

    Attributes:
        sampler: see `model.diffusion.samplers`; `auto` see `choose_sampler`.
        steps: network calls a frame; 0 is the sampler's own number, see `choose_sampler`.
        spacing: of the steps, see `model.diffusion.schedule.respace`; `auto` is `uniform` for the
            ancestral sampler (the paper) and `quadratic` for the others.
        seed: of the noise; clip i of a batch uses seed + i.
        precision: `bf16` or `float32` arithmetic in the network.
        compiled: let torch.compile fuse the network.
        reanchor: the older motion frame is replaced by the identity frame every so many frames,
            against the slow drift of long videos; the authors' value is 15, 0 is never.
        start: `noise`, the paper's; `previous`: the frame before, made noisy as far as
            `start_step`, so that the steps are spent on what changes from frame to frame; `auto`
            see `choose_sampler`.
        start_step: of the full diffusion, where a frame begins if it begins at the previous one; 0
            is the sampler's own.
        noise_correlation: of a frame's noise with that of the frame before, see
            `model.diffusion.correlated_noise`; None is the sampler's own.
    """

    sampler: SamplerChoice = "auto"
    steps: int = 0
    spacing: Literal["auto", "uniform", "quadratic"] = "auto"
    seed: int = 0
    precision: str = "float32"
    compiled: bool = False
    reanchor: int = 0
    start: StartChoice = "auto"
    start_step: int = 0
    noise_correlation: float | None = None


def choose_sampler(config: SampleConfig, diffusion: DiffusionConfig) -> SampleConfig:
    """The config with every `auto` replaced by its value, as it is used and recorded.

    The sampler `auto` is the cheapest setting that measured best: for networks with the identity
    prior `ddim` in 2 calls (more leave the grain of a young network), for others that predict v
    `dpm` in 6 calls, for those that predict ε, such as the authors', `sde` in 10
    from the frame before. With another number of steps it is the same sampler in so many. The
    tables, and on what they were measured, are in benchmarks/speed/RESULTS.md, Samplers.

    Args:
        config: as the user gave it.
        diffusion: of the model.
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
    """The steps that a sampler takes, a subset of the full diffusion.

    Args:
        diffusion: of the model.
        config: with a chosen sampler, see `choose_sampler`.
    """
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
