"""The identity frame as the mean of the diffusion's prior.

Crops are aligned, so a frame is the identity frame plus a little. With the prior
x0 ~ N(identity, s²) and x_t = α x0 + σ ε, α = √ᾱ, σ = √(1-ᾱ), let

    y0 = (x0 - identity) / s                    the residual, of unit variance
    y_t = (x_t - α identity) / √V               V = α² s² + σ², of unit variance at every step
        = (α s / √V) y0 + (σ / √V) ε

which is again a diffusion, of y0, with ᾱ' = α² s² / V: the same steps with log SNR lower by
2 log s. Losses and samplers see residuals and the schedule of `residual_schedule`, and nothing else
changes. A network that predicts v of y predicts F of Karras et al. (2022, section 5),
preconditioned about the identity frame: with r = x_t - α identity,

    x̂0 = identity + (α s² / V) r - (s σ / √V) v

Its target has unit variance at every step. Sampling begins at the identity frame with noise:
y ~ N(0, 1) is x ~ N(α identity, V). With s → ∞ the prior says nothing, and v becomes ε.
"""

from dataclasses import dataclass

from torch import Tensor

from model.config.architecture import DiffusionConfig
from model.diffusion.schedule import Schedule, cosine_schedule


@dataclass(frozen=True)
class IdentityPrior:
    """The prior N(identity, scale²) of every pixel."""

    identity: Tensor  # (B, 3, S, S) identity frames in [-1, 1]
    scale: float  # s, the standard deviation

    def residual(self, frames: Tensor) -> Tensor:
        """(B, 3, S, S) frames in [-1, 1] to residuals of about unit variance."""
        return (frames - self.identity) / self.scale

    def frames(self, residual: Tensor) -> Tensor:
        """(B, 3, S, S) residuals to frames."""
        return self.identity + self.scale * residual

    @property
    def limits(self) -> tuple[Tensor, Tensor]:
        """The residuals of black and of white."""
        return (-1 - self.identity) / self.scale, (1 - self.identity) / self.scale


def prior_of(identity: Tensor, diffusion: DiffusionConfig) -> IdentityPrior | None:
    """The prior of a model for (B, 3, S, S) identity frames; None where it is N(0, 1)."""
    scale = diffusion.identity_prior
    return IdentityPrior(identity, scale) if scale else None


def diffusion_schedule(diffusion: DiffusionConfig) -> Schedule:
    """The full schedule of a model: of frames, or of their residuals."""
    schedule = cosine_schedule(diffusion.steps)
    scale = diffusion.identity_prior
    return residual_schedule(schedule, scale) if scale else schedule


def residual_schedule(schedule: Schedule, scale: float) -> Schedule:
    """The schedule of the residuals: ᾱ' = ᾱ s² / (ᾱ s² + 1 - ᾱ), at the same steps."""
    signal = schedule.alpha_bar * scale**2
    return Schedule(schedule.steps, signal / (signal + 1 - schedule.alpha_bar))
