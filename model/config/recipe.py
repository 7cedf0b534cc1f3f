"""The training recipe: its options, and what follows from them at each step."""

import math
from dataclasses import field
from typing import Literal

from pydantic import (
    AliasChoices,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
)
from pydantic.dataclasses import dataclass

from model.config.architecture import CHECKED, Share


@dataclass(frozen=True, config=CHECKED)
class MotionCorruption:
    """How motion frames are corrupted in training.

    In training the motion frames are real, in sampling generated: a network that saw only clean
    ones copies their flaws, and lets them grow (the paper's own limit: 8-9 s). So each training
    frame draws a level, uniform in [0, 1], and each kind of damage is done to its motion frames at
    that share of the strength named here. Zeros are the paper.

    Attributes:
        noise: standard deviation of Gaussian noise, in the frames' range of [-1, 1].
        blur: standard deviation of a Gaussian blur, in per cent of the side.
        colour: largest shift of each colour channel, and of contrast about grey, as a share of
            their range.
        compression: 1 is JPEG at quality 5, at level 1; less is milder in proportion.
        level_as_input: whether the network is given the level (`told` in older checkpoints).
        sampling_level: the level that such a network is given in sampling (`sampled` in older
            checkpoints).
    """

    noise: NonNegativeFloat = 0.0
    blur: NonNegativeFloat = 0.0
    colour: NonNegativeFloat = 0.0
    compression: NonNegativeFloat = 0.0
    level_as_input: bool = Field(
        default=False, validation_alias=AliasChoices("level_as_input", "told")
    )
    sampling_level: NonNegativeFloat = Field(
        default=0.3, validation_alias=AliasChoices("sampling_level", "sampled")
    )

    @property
    def any(self) -> bool:
        """Whether anything is done at all."""
        return bool(self.noise or self.blur or self.colour or self.compression)


@dataclass(frozen=True, config=CHECKED)
class Augmentation:
    """How a clip is changed as a whole, so that a few people stand for many.

    Every training frame draws its own change, alike for target, identity and motion frames; what
    is drawn depends on the frame's seed alone. Zeros are the paper.

    Attributes:
        mirror: share of training frames whose left and right are exchanged.
        similarity: largest zoom (as a share), turn (radians) and move (of half the side).
        colour: largest shift of each colour channel, and of contrast, as a share of their range.
        blur: largest standard deviation of a Gaussian blur, in per cent of the side.
        level: largest change of the speech's level, in dB.
        voice: largest stretch of the speech's spectral envelope, as a share: another voice. Level
            and voice change MFCC; other speech features stay as they are.
    """

    mirror: Share = 0.0
    similarity: NonNegativeFloat = 0.0
    colour: NonNegativeFloat = 0.0
    blur: NonNegativeFloat = 0.0
    level: NonNegativeFloat = 0.0
    voice: NonNegativeFloat = 0.0


@dataclass(frozen=True, config=CHECKED)
class TrainConfig:
    """The recipe.

    Attributes:
        steps: optimiser steps.
        batch_size: frames a step, over all workers.
        learning_rate: of Adam.
        accumulate: parts that each worker's share of a batch is computed in, one after another;
            more parts take less memory and give the same step.
        warmup: steps of linear warm-up.
        decays: the rate is multiplied by `decay` at the end of each of this many equal parts of the
            run; 0 is never. The paper's is 18.
        decay: see `decays`.
        cooldown: share of the run, at its end, over which the rate falls to zero on a line.
        clip_norm: largest norm of the gradient; 0 is no limit (the paper).
        ema_half_life: of the averaged weights, in steps; 0 is no averaging (the paper).
        timestep_power: p of the diffusion steps t = T u^p that frames are noised to, u uniform in
            [0, 1). Below 1 more of them are noisy, where speech alone says what the mouth does; 1
            in the paper.
        drop_motion: share of training frames whose motion frames are replaced by the identity
            frame, as at the start of a clip; makes the network listen.
        motion: what is done to the motion frames, to those that were replaced as well.
        augmentation: what is done to a clip as a whole.
        speech_noise: standard deviation of the noise on speech features, in units of each
            coefficient's own; half of it is common to a frame's windows, as another microphone
            would be. Keeps a network that is trained on few recordings from overfitting to them.
        lambda_lips: weight of an auxiliary loss: the target's lip shape, read off its speech
            embedding by a linear layer. The embeddings then say what lips do long before the
            network's own gradient would have taught them; 0 in the paper.
        mouth_box: whose mouth the lip loss looks at: that of the `target` frame, as eq. 18 has it,
            or that of the `identity` frame, as the released loader does by mistake: the box then
            lies where the mouth was in another frame, and misses it when the head has moved.
        frames_per_clip: training frames drawn each time a clip is read.
    """

    steps: PositiveInt
    batch_size: PositiveInt
    learning_rate: NonNegativeFloat
    accumulate: PositiveInt = 1
    warmup: NonNegativeInt = 0
    decays: NonNegativeInt = 0
    decay: Share = 0.8
    cooldown: Share = 0.0
    clip_norm: NonNegativeFloat = 0.0
    ema_half_life: NonNegativeFloat = 0.0
    timestep_power: PositiveFloat = 1.0
    drop_motion: Share = 0.0
    motion: MotionCorruption = field(default_factory=MotionCorruption)
    augmentation: Augmentation = field(default_factory=Augmentation)
    speech_noise: NonNegativeFloat = 0.0
    lambda_lips: NonNegativeFloat = 0.0
    mouth_box: Literal["target", "identity"] = "target"
    frames_per_clip: PositiveInt = 8


def learning_rate(step: int, progress: float, recipe: TrainConfig) -> float:
    """Linear warm-up, `decays` equal stages each at `decay` of the last, linear cool-down.

    The warm-up goes by optimiser steps, the rest by the share of the run that is done, 0 … 1.
    """
    rate = recipe.learning_rate * min(1.0, (step + 1) / max(1, recipe.warmup))
    # 7 / 18 * 18 must be 7: rounding must not move a stage by a step.
    rate *= recipe.decay ** int(progress * recipe.decays + 1e-9)
    if recipe.cooldown:
        rate *= min(1.0, (1 - progress) / recipe.cooldown)
    return rate


def ema_decay(step: int, recipe: TrainConfig) -> float:
    """Share of the old average that stays; rises from 0 so that early weights are forgotten.

    The half-life is never more than a tenth of the steps so far, however early the run ends.
    """
    if not recipe.ema_half_life:
        return 0.0
    half_life = min(recipe.ema_half_life, step / 10)
    return math.exp2(-1 / half_life)
