"""The shape of the network and of its diffusion: what a checkpoint must state to be rebuilt."""

from typing import Annotated, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveInt,
    model_validator,
)
from pydantic.dataclasses import dataclass

# Values are of the annotated type and finite; a field that is not known is refused.
CHECKED = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
Share = Annotated[float, Field(ge=0, le=1)]
Prediction = Literal["epsilon", "v"]


@dataclass(frozen=True, config=CHECKED)
class UNetConfig:
    """Shape of the network.

    Where the paper's text and the released network differ, the defaults are the released one's, so
    that its weights fit and mean what they meant:

    - attention: the text has it in the middle block alone, with 4 heads; the released
      configuration has it at 32 x 32 as well (`attention_resolutions`). It names 4 heads too, but
      also heads of 64 channels, which take precedence: 12 of them in the 768 channels of these
      layers (`heads`, `head_channels`). The text's: `attention_resolutions=(), heads=4`.
    - time: the released frequencies fall four times more slowly than the usual ones of
      Dhariwal and Nichol, from whom the text takes its network (`time_exponent`).

    Attributes:
        image_size: side S of the frames in pixels.
        base_channels: channels of the first level, and width of a speech embedding.
        channel_mult: channels of each level in multiples of `base_channels`.
        res_blocks: residual blocks a level.
        attention_resolutions: sides of the feature maps with attention, besides the middle block.
            The paper's text has none; the released configuration has 32.
        head_channels: channels of an attention head.
        heads: attention heads of every attention layer, however wide it is (the paper's text: 4);
            0 takes as many as have `head_channels` each.
        norm_groups: groups of GroupNorm; 32 in the paper, fewer for networks so narrow that a group
            would be one channel.
        dropout: in residual blocks.
        motion_channels: 3 for RGB motion frames (the paper's CREMA), 1 for grey ones (LRW).
        motion_frames: how many frames before the target are given.
        speech_context: embeddings m_y on either side of the target's.
        patch: side of the square of pixels that is folded into channels before the stem and
            unfolded after the last layer; 1 in the paper. 2 spares a narrow network the
            convolutions at full size, which cost it most and teach it least.
        time_exponent: `released`: frequencies 10^(-4 i / (2 base)), as the released weights were
            trained with; `standard`: 10^(-4 i / (base / 2)), as in the literature.
    """

    image_size: PositiveInt = 128
    base_channels: PositiveInt = 256
    channel_mult: Annotated[tuple[PositiveInt, ...], Field(min_length=1)] = (1, 2, 3)
    res_blocks: PositiveInt = 2
    attention_resolutions: tuple[PositiveInt, ...] = (32,)
    head_channels: PositiveInt = 64
    heads: NonNegativeInt = 0
    norm_groups: PositiveInt = 32
    dropout: Share = 0.1
    motion_channels: Literal[1, 3] = 3
    motion_frames: PositiveInt = 2
    speech_context: NonNegativeInt = 2
    patch: PositiveInt = 1
    time_exponent: Literal["released", "standard"] = "released"

    @model_validator(mode="after")
    def _levels_and_groups_fit(self) -> Self:
        halvings = len(self.channel_mult) - 1
        if self.image_size % (self.patch << halvings):
            raise ValueError(
                f"image_size {self.image_size} must be a multiple of {self.patch << halvings}: "
                f"patches of {self.patch} pixels, halved {halvings} times"
            )
        if self.base_channels % self.norm_groups:
            raise ValueError(
                f"base_channels {self.base_channels} must be a multiple of norm_groups "
                f"{self.norm_groups}"
            )
        return self

    @property
    def in_channels(self) -> int:
        """Noisy frame, motion frames and identity frame (eq. 16)."""
        return 3 + self.motion_frames * self.motion_channels + 3

    @property
    def speech_window(self) -> int:
        """Number of speech embeddings that a frame is given."""
        return 2 * self.speech_context + 1

    def heads_of(self, channels: int) -> int:
        """Attention heads of a layer with `channels` channels."""
        return self.heads or max(1, channels // self.head_channels)


@dataclass(frozen=True, config=CHECKED)
class DiffusionConfig:
    """What is predicted, and what its errors weigh.

    Attributes:
        steps: T of the full diffusion.
        prediction: `epsilon` (the paper) or `v` (Salimans and Ho, 2022). With ε, x0 at high noise
            is a division by √ᾱ ≈ 0.03, so that a small network learns to copy the face very late;
            with v it does so in minutes.
        identity_prior: s, the standard deviation of frames about the identity frame, which is then
            the mean of the prior, see `model.diffusion.identity_prior`; 0 is the paper's prior,
            N(0, 1). In units of [-1, 1].
        lambda_vlb: weight of the variational bound (released configuration: 1e-4).
        lambda_ls: weight of the lip loss (paper: 0.2; above 0.5 degrades quality).
    """

    steps: PositiveInt = 1000
    prediction: Prediction = "epsilon"
    identity_prior: NonNegativeFloat = 0.0
    lambda_vlb: NonNegativeFloat = 1e-4
    lambda_ls: NonNegativeFloat = 0.2
