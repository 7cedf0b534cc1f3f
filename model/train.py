"""The training loop: shards in, checkpoints out."""

from __future__ import annotations

import copy
import math
import signal
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

import torch
from torch.nn import functional as F
from torch.nn.utils import clip_grad_norm_

from model.checkpoint import Info, TrainingState, latest, read_info, restore, save
from model.data import Batch, TrainingFrames, batches, to_unit
from model.device import Precision, choose_device, choose_precision
from model.diffusion import Losses, cosine_schedule, losses
from model.network import Conditions, SpeechFormat, TalkingHead
from model.preview import draw_strip
from model.status import StatusLog
from pipeline.errors import UserError
from pipeline.files import write_json
from pipeline.shards import read_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from torch import Tensor

    from model.diffusion import DiffusionConfig, Schedule
    from model.presets import Preset, TrainConfig


@dataclass(frozen=True)
class RunOptions:
    """One training run.

    Attributes:
        data: the data set's folder.
        out: the run's folder.
        preset: model and recipe.
        resume: carry on from the last checkpoint in `out`.
        device: where to train.
        precision: arithmetic of the network; `auto` takes bf16 where the processor has it.
        seed: of weights, noise and order.
        loaders: processes that read ahead; 0 reads in the training process.
        log_every: steps between status lines.
        save_every: steps between checkpoints.
        strip_every: steps between strips of sampled frames, the last step always; 0 is never.
    """

    data: Path
    out: Path
    preset: Preset
    resume: bool = False
    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    precision: Precision = "auto"
    seed: int = 0
    loaders: int = 1
    log_every: int = 20
    save_every: int = 500
    strip_every: int = 500


def train(options: RunOptions, report: Callable[[str], None] = print) -> Path:
    """Trains until the preset's last step, or until SIGINT or SIGTERM, and saves.

    Args:
        options: of the run.
        report: takes the status lines.

    Returns:
        The last checkpoint.

    Raises:
        UserError: the data set, the run's folder and the preset do not fit together.
        FloatingPointError: the loss is not finite; the message names the batch's clips.
    """
    preset, recipe = options.preset, options.preset.train
    device = choose_device(options.device)
    precision = choose_precision(options.precision, device)
    speech = SpeechFormat.of(read_dataset(options.data)["speech"])
    found = _checkpoint_to_resume(options, speech)
    frames = TrainingFrames(
        options.data,
        preset.unet,
        # A resumed run reads the data in another order rather than the same frames again.
        seed=options.seed + 1_000_003 * (read_info(found).step if found else 0),
        frames_per_clip=recipe.frames_per_clip,
        drop_motion=recipe.drop_motion,
    )
    state = _begin(options, speech, device, found)
    if state.step > recipe.steps:
        raise UserError(
            f"{options.out} is at step {state.step} already, past the {recipe.steps} asked for; "
            "ask for more with --steps"
        )
    schedule = cosine_schedule(preset.diffusion.steps)
    loader = batches(frames, recipe.batch_size, workers=options.loaders, pin=device.type == "cuda")
    log = StatusLog(options, state.step, report)
    info = Info(preset, speech, state.step, options.seed)
    parameters = sum(p.numel() for p in state.model.parameters())
    report(
        f"{preset.name}: {parameters / 1e6:.1f} M parameters, {device}, "
        f"{precision}, steps {state.step} to {recipe.steps}"
    )
    with _stop_signals() as stopped:
        for batch in _started(loader):
            if state.step >= recipe.steps or stopped():
                break
            conditions = _conditions(state.model, batch, recipe, device)
            parts = _losses(state.model, batch, conditions, schedule, preset.diffusion, precision)
            total = parts.total(preset.diffusion)
            if recipe.lambda_lips:
                lips = lip_reading_loss(state.model, conditions, batch.lips)
                total = total + recipe.lambda_lips * lips
            if not torch.isfinite(total):
                raise FloatingPointError(
                    f"loss is {total.item()} at step {state.step}; clips {sorted(set(batch.keys))}"
                )
            _update(state, total, recipe)
            log.step(state.step, parts, total)
            due = state.step == recipe.steps or state.step % max(1, options.strip_every) == 0
            if options.strip_every and due:
                strip = draw_strip(state.average, preset, options.data, options.seed)
                log.strip(state.step, strip)
            if state.step % options.save_every == 0:
                path = checkpoint_path(options.out, state.step)
                save(path, state, replace(info, step=state.step))
        # Still inside: a second Ctrl-C must not cost the checkpoint that the first one asked for.
        path = checkpoint_path(options.out, state.step)
        if latest(options.out) != path:
            save(path, state, replace(info, step=state.step))
    log.close()
    return path


def _started(loader: Iterable[Batch]) -> Iterator[Batch]:
    """The loader with its readers started so that Ctrl-C, which reaches them too, leaves them be.

    A signal that is ignored stays so in the processes started meanwhile, even while they import.
    """
    numbers = (signal.SIGINT, signal.SIGTERM)
    kept = [signal.signal(number, signal.SIG_IGN) for number in numbers]
    try:
        return iter(loader)
    finally:
        for number, handler in zip(numbers, kept, strict=True):
            signal.signal(number, handler)


def checkpoint_path(run: Path, step: int) -> Path:
    """Where the checkpoint of a step lies."""
    return run / f"checkpoint-{step:07d}.safetensors"


def _checkpoint_to_resume(options: RunOptions, speech: SpeechFormat) -> Path | None:
    """The run's last checkpoint if it is to be resumed; None for a new run."""
    if options.out.exists() and not options.out.is_dir():
        raise UserError(f"{options.out} is a file; name a folder with --out")
    found = latest(options.out)
    if found and not options.resume:
        raise UserError(f"{options.out} holds a run already; add --resume, or use another --out")
    if options.resume and not found:
        raise UserError(f"nothing to resume: no checkpoint in {options.out}")
    if found:
        _same_model(found, options, speech)
    return found


def _begin(
    options: RunOptions, speech: SpeechFormat, device: torch.device, found: Path | None
) -> TrainingState:
    """Fresh weights, or those of a checkpoint."""
    torch.manual_seed(options.seed)
    model = TalkingHead(options.preset, speech).to(device)
    average = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
    fused = device.type in ("cpu", "cuda")
    adam = torch.optim.Adam(model.parameters(), options.preset.train.learning_rate, fused=fused)
    state = TrainingState(model, average, adam)
    if found:
        restore(found, state)
    write_json(
        options.out / "options.json",
        {**asdict(options), "data": str(options.data), "out": str(options.out)},
    )
    return state


def _same_model(found: Path, options: RunOptions, speech: SpeechFormat) -> None:
    """A run can be resumed with another recipe, not with another network."""
    info = read_info(found)
    theirs, ours = info.preset, options.preset
    if (theirs.unet, theirs.diffusion, theirs.speech_hidden) != (
        ours.unet,
        ours.diffusion,
        ours.speech_hidden,
    ):
        raise UserError(
            f"{found} was trained with preset {theirs.name!r}, whose network differs from that of "
            f"{ours.name!r}; resume with --preset {theirs.name}, or use another --out"
        )
    if (info.speech.steps, info.speech.coefficients) != (speech.steps, speech.coefficients):
        raise UserError(f"{found} takes other speech features than {options.data} holds")


def _conditions(
    model: TalkingHead, batch: Batch, recipe: TrainConfig, device: torch.device
) -> Conditions:
    """What the frames of a batch are drawn from, disturbed as the recipe asks."""
    motion = to_unit(batch.motion.to(device, non_blocking=True))
    if recipe.motion_noise:
        level = recipe.motion_noise * torch.rand(len(motion), 1, 1, 1, device=device)
        motion = motion + level * torch.randn_like(motion)
    speech = batch.speech.to(device, non_blocking=True)
    if recipe.speech_noise:
        std = model.speech_encoder.std
        split = speech.reshape(*speech.shape[:-1], -1, len(std))
        common = torch.randn(len(split), 1, 1, len(std), device=device)
        noise = torch.randn_like(split) + 0.5 * common
        speech = (split + recipe.speech_noise * std * noise).flatten(-2)
    identity = to_unit(batch.identity.to(device, non_blocking=True))
    return Conditions(identity, motion, speech)


def _losses(
    model: TalkingHead,
    batch: Batch,
    conditions: Conditions,
    schedule: Schedule,
    config: DiffusionConfig,
    precision: Literal["bf16", "float32"],
) -> Losses:
    """Noise, one call of the network, the parts of the loss."""
    device = conditions.identity.device
    target = to_unit(batch.target.to(device, non_blocking=True))
    t = torch.randint(0, len(schedule), (len(target),), device=device)

    def network(x: Tensor, steps: Tensor) -> Tensor:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            output: Tensor = model(x, steps, conditions)
        return output

    noise = torch.randn_like(target)
    return losses(network, target, batch.mouth.to(device), t, noise, schedule, config)


def lip_reading_loss(model: TalkingHead, conditions: Conditions, lips: Tensor) -> Tensor:
    """Mean squared error of the lip shape read off the target's own speech embedding."""
    features = conditions.speech[:, conditions.speech.shape[1] // 2]
    shape: Tensor = model.lip_reader(model.speech_encoder(features))
    return F.mse_loss(shape, lips.to(shape.device))


def _update(state: TrainingState, total: Tensor, recipe: TrainConfig) -> None:
    """One step of Adam and of the averaged weights."""
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.step, recipe)
    state.optimizer.zero_grad(set_to_none=True)
    total.backward()  # type: ignore[no-untyped-call]
    if recipe.clip_norm:
        clip_grad_norm_(state.model.parameters(), recipe.clip_norm)
    state.optimizer.step()
    state.step += 1
    keep = ema_decay(state.step, recipe)
    with torch.no_grad():
        for ours, theirs in zip(state.average.parameters(), state.model.parameters(), strict=True):
            ours.lerp_(theirs, 1 - keep)


def learning_rate(step: int, recipe: TrainConfig) -> float:
    """Linear warm-up, a factor `decay` after every `decay_every` steps, linear cool-down."""
    rate = recipe.learning_rate * min(1.0, (step + 1) / max(1, recipe.warmup))
    if recipe.decay_every:
        rate *= recipe.decay ** (step // recipe.decay_every)
    if recipe.cooldown:
        rate *= min(1.0, max(0, recipe.steps - step) / (recipe.cooldown * recipe.steps))
    return rate


def ema_decay(step: int, recipe: TrainConfig) -> float:
    """Share of the old average that stays; rises from 0 so that early weights are forgotten."""
    if not recipe.ema_half_life:
        return 0.0
    half_life = min(recipe.ema_half_life, step / 10)
    return math.exp2(-1 / half_life)


@contextmanager
def _stop_signals() -> Iterator[Callable[[], bool]]:
    """Turns SIGINT and SIGTERM into a question that the loop asks between two steps."""
    received: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: received.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(received)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
