"""The training loop: shards in, checkpoints out; the same on one process or many."""

from __future__ import annotations

import signal
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch.nn.utils import clip_grad_norm_

from model.checkpoints.checkpoint import CheckpointInfo, latest, read_info, rotate, save
from model.config.recipe import ema_decay, learning_rate
from model.data.stream import Clips, Lanes, batches
from model.device import choose_device, choose_precision, few_threads
from model.network.talking_head import SpeechFormat
from model.sampling.denoiser import call_flops
from model.training.objective import Objective, Parts
from model.training.preview import draw_strip
from model.training.process_group import ALONE, Team
from model.training.run_folder import (
    begin,
    checkpoint_path,
    checkpoint_to_resume,
    keep_options,
    what_changed,
)
from model.training.status import StatusLog
from pipeline.dataset.shards import read_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from torch import nn

    from model.checkpoints.checkpoint import TrainingState
    from model.config.recipe import TrainConfig
    from model.data.training_frame import Batch
    from model.training.run_folder import RunOptions

    Stopped = Callable[[], bool]


def train(
    options: RunOptions,
    report: Callable[[str], None] = print,
    *,
    team: Team = ALONE,
    stop: AbstractContextManager[Stopped] | None = None,
) -> Path:
    """Trains until the preset's last step, or until it is to stop, and saves.

    An interrupted run that is resumed ends in the same bits as one that was not.

    Args:
        options: of the run.
        report: takes the status lines.
        team: the processes that train together; each of them calls this.
        stop: gives a question whether to stop, asked before every step; None: whether SIGINT or
            SIGTERM has come.

    Returns:
        The last checkpoint.

    Raises:
        UserError: the data set, the run's folder and the preset do not fit together.
        FloatingPointError: the loss is not finite; the message names the batch's clips.
    """
    recipe = options.preset.train
    rows = team.rows(recipe)
    device = choose_device(options.device)
    dataset = read_dataset(options.data)
    speech = SpeechFormat.of(dataset["speech"])
    found = checkpoint_to_resume(options, dataset)
    if found:
        options = replace(options, seed=read_info(found).seed)
    clips = Clips.of(options.data)
    state, told = begin(options, speech, device, found)
    if found:
        told += what_changed(found, options, dataset)
    told += _enlarged(dataset["options"]["image_size"], options.preset.unet.image_size)
    precision = choose_precision(options.precision, device)
    objective = team.wrap(Objective(state.model, options.preset, precision))
    if options.compile:
        state.model.unet.compile()
    lanes = Lanes(
        clips,
        rows,
        recipe.batch_size,
        options.preset.unet,
        recipe,
        seed=options.seed,
        skip=state.step,
    )
    loader = batches(lanes, readers=options.loaders, device=device)
    log = StatusLog(options, state.step, team, report)
    if team.leads:
        keep_options(options, dataset)
        _introduce(options, state, f"{device}, {precision}", report)
        for line in told:
            report(line)
    threads = few_threads(call_flops(options.preset.unet))
    with closing(loader), stop or _stop_signals() as stopped, threads:
        while state.step < recipe.steps and not team.any(stopped()):
            with log.waiting():
                batch = next(loader)
            # Dropout's numbers, like all others, follow from seed and step.
            torch.manual_seed((options.seed * 1_000_003 + state.step) * 65_537 + team.rank)
            parts = _gradients(objective, batch, recipe, team)
            _refuse_infinite(parts, batch, state.step, team)
            _update(state, recipe)
            log.step(state.step, parts)
            if team.leads:
                with log.aside():
                    _keep_up(options, state, speech, log)
        # Still inside: a second Ctrl-C must not cost the checkpoint that the first one asked for.
        path = checkpoint_path(options.out, state.step)
        if team.leads and latest(options.out) != path:
            _save(options, state, speech)
    log.write_report({"device": str(device), "precision": precision, "checkpoint": path.name})
    log.close()
    return path


def _enlarged(size: int, wanted: int) -> list[str]:
    """Says that the crops are smaller than the model's frames, which then are never sharp."""
    if size >= wanted:
        return []
    told = f"note: the data's crops of {size} x {size} are enlarged to the model's"
    return [f"{told} {wanted} x {wanted}; sharper: dh-prep run --image-size {wanted}"]


def _introduce(
    options: RunOptions, state: TrainingState, where: str, report: Callable[[str], None]
) -> None:
    """Says what begins."""
    parameters = sum(p.numel() for p in state.model.parameters())
    report(
        f"{options.preset.name}: {parameters / 1e6:.1f} M parameters, {where}, "
        f"steps {state.step} to {options.preset.train.steps}"
    )


def _gradients(objective: nn.Module, batch: Batch, recipe: TrainConfig, team: Team) -> Parts:
    """Gradients of the whole batch's loss, computed in as many parts as the recipe asks."""
    objective.zero_grad(set_to_none=True)
    done: list[Parts] = []
    for part in batch.parts(recipe.accumulate):
        last = len(done) == recipe.accumulate - 1
        with nullcontext() if last else team.holding_back(objective):
            parts: Parts = objective(part)
            (parts.total / recipe.accumulate).backward()  # type: ignore[no-untyped-call]
        done.append(parts)
    return Parts(
        torch.stack([parts.total.detach() for parts in done]).mean(),
        {
            name: torch.cat([parts.by_frame[name].detach() for parts in done])
            for name in done[0].by_frame
        },
        torch.cat([parts.t for parts in done]),
    )


def _refuse_infinite(parts: Parts, batch: Batch, step: int, team: Team) -> None:
    """Raises, in every process, if the loss of any is not finite."""
    whole = bool(torch.isfinite(parts.total))
    if team.any(not whole):
        bad = torch.stack([~torch.isfinite(value) for value in parts.by_frame.values()]).any(0)
        keys = {key for key, is_bad in zip(batch.keys, bad.tolist(), strict=True) if is_bad}
        raise FloatingPointError(
            f"loss is not finite at step {step}; clips {sorted(set().union(*team.gather(keys)))}"
        )


def _update(state: TrainingState, recipe: TrainConfig) -> None:
    """One step of Adam and of the averaged weights."""
    for group in state.optimizer.param_groups:
        group["lr"] = learning_rate(state.step, recipe)
    if recipe.clip_norm:
        clip_grad_norm_(state.model.parameters(), recipe.clip_norm)
    state.optimizer.step()
    state.step += 1
    with torch.no_grad():
        torch._foreach_lerp_(  # one pass over all weights, not one for each
            list(state.average.parameters()),
            list(state.model.parameters()),
            1 - ema_decay(state.step, recipe),
        )


def _keep_up(
    options: RunOptions, state: TrainingState, speech: SpeechFormat, log: StatusLog
) -> None:
    """Strips and checkpoints, when they are due."""
    last = state.step == options.preset.train.steps
    if options.strip_every and (last or state.step % options.strip_every == 0):
        log.strip(state.step, draw_strip(state.average, options.preset, options.data, options.seed))
    if last or state.step % options.save_every == 0:
        _save(options, state, speech)
        log.write_report({"checkpoint": checkpoint_path(options.out, state.step).name})


def _save(options: RunOptions, state: TrainingState, speech: SpeechFormat) -> None:
    info = CheckpointInfo(options.preset, speech, state.step, options.seed)
    save(checkpoint_path(options.out, state.step), state, info)
    rotate(options.out, options.keep)


@contextmanager
def _stop_signals() -> Iterator[Stopped]:
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
