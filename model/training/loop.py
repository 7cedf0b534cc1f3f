"""The training loop: shards in, checkpoints out; the same on one process or many."""

from __future__ import annotations

import signal
from contextlib import closing, contextmanager, nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch.nn.utils import clip_grad_norm_

from model.checkpoints.checkpoint import CheckpointInfo, read_info, rotate, save
from model.config.recipe import ema_decay, learning_rate
from model.data.stream import Clips, Lanes, batches
from model.device import choose_device, choose_precision, few_threads
from model.network.talking_head import SpeechFormat
from model.sampling.denoiser import call_flops
from model.training.divergence import stop_if_diverged, stop_if_weights_diverged
from model.training.objective import BatchLosses, Objective
from model.training.preview import draw_strip
from model.training.process_group import SINGLE_PROCESS, ProcessGroup
from model.training.run_folder import (
    checkpoint_path,
    checkpoint_to_resume,
    initial_state,
    notes_on_changes,
    write_options,
)
from model.training.status import StatusLog
from pipeline.dataset.shards import read_dataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import nn

    from model.checkpoints.checkpoint import TrainingState
    from model.config.recipe import TrainConfig
    from model.data.training_frame import Batch
    from model.training.run_options import RunOptions


def train(
    options: RunOptions,
    report: Callable[[str], None] = print,
    *,
    group: ProcessGroup = SINGLE_PROCESS,
    stop: Callable[[], bool] | None = None,
    on_checkpoint: Callable[[Path, dict[str, float]], None] | None = None,
) -> Path:
    """Trains until the preset's last step, or until it is to stop, and saves.

    An interrupted run that is resumed ends in the same bits as one that was not.

    Args:
        options: of the run.
        report: takes the status lines.
        group: the processes that train together; each of them calls this.
        stop: whether to stop, asked before every step; None: whether SIGINT or SIGTERM has come.
        on_checkpoint: called in every process after a checkpoint was saved, with its path and the
            metrics of the last status line.

    Returns:
        The last checkpoint.

    Raises:
        UserError: the data set, the run's folder and the preset do not fit together, or the
            training diverged.
    """
    # 1. Do options, data set and run's folder fit together? Nothing is written before step 4.
    recipe = options.preset.train
    rows = group.rows(recipe)
    device = choose_device(options.device)
    precision = choose_precision(options.precision, device)
    dataset = read_dataset(options.data)
    speech = SpeechFormat.of(dataset["speech"])
    resumed = checkpoint_to_resume(options, dataset)
    if resumed:
        options = replace(options, seed=read_info(resumed).seed)

    # 2. Weights, their average and Adam: fresh, or as the checkpoint has them.
    state, notes = initial_state(options, speech, device, resumed)
    notes += notes_on_changes(resumed, options, dataset)
    objective = group.data_parallel(Objective(state.model, options.preset, precision))
    if options.compile:
        state.model.unet.compile()

    # 3. Batches, from the step that is next.
    unet, seed, clips = options.preset.unet, options.seed, Clips.of(options.data)
    lanes = Lanes(clips, rows, recipe.batch_size, unet, recipe, seed=seed, skip=state.step)
    loader = batches(lanes, readers=options.loaders, device=device)

    # 4. What the user sees.
    log = StatusLog(options, state.step, group, report, str(device), precision)
    log.write_start(state.model, notes)
    if group.is_main:
        write_options(options, dataset)

    def save_checkpoint() -> Path:
        path = _save(state, speech, options, log, group)
        if on_checkpoint:
            on_checkpoint(path, log.metrics)
        return path

    # 5. The steps.
    saved = resumed
    stopping = stop_signals() if stop is None else nullcontext(stop)
    with closing(loader), stopping as stop_requested, few_threads(call_flops(unet)):
        while state.step < recipe.steps and not group.any(stop_requested()):
            with log.waiting_for_data():
                batch = next(loader)  # this process's rows of the batch
            # Dropout's numbers, like all others, follow from seed and step.
            torch.manual_seed((seed * 1_000_003 + state.step) * 65_537 + group.rank)
            losses = _backward(objective, batch, recipe, group)
            stop_if_diverged(losses, batch, state.step, options, group)
            _update(state, recipe)
            log.step(state.step, losses)

            last = state.step == recipe.steps
            with log.not_training():
                if last or state.step % options.save_every == 0:
                    saved = save_checkpoint()
                strip_due = options.strip_every and (last or state.step % options.strip_every == 0)
                if strip_due and group.is_main:
                    strip = draw_strip(state.average, options.preset, options.data, seed)
                    log.strip(state.step, strip)

        # 6. The checkpoint of a run that was stopped. Still inside the with-block: a second Ctrl-C
        # must not cost the checkpoint that the first one asked for.
        path = checkpoint_path(options.out, state.step)
        if saved != path:
            save_checkpoint()
    log.write_report(path)
    log.close()
    return path


def _backward(
    objective: nn.Module, batch: Batch, recipe: TrainConfig, group: ProcessGroup
) -> BatchLosses:
    """Gradients of the whole batch's loss, computed in as many parts as the recipe asks."""
    objective.zero_grad(set_to_none=True)
    done: list[BatchLosses] = []
    for part in batch.parts(recipe.accumulate):  # B / accumulate rows each
        last = len(done) == recipe.accumulate - 1
        with nullcontext() if last else group.no_sync(objective):
            losses: BatchLosses = objective(part)
            (losses.total / recipe.accumulate).backward()  # type: ignore[no-untyped-call]
        done.append(losses)
    return BatchLosses(
        torch.stack([losses.total.detach() for losses in done]).mean(),  # ()
        {
            name: torch.cat([losses.by_frame[name].detach() for losses in done])  # (B,)
            for name in done[0].by_frame
        },
        torch.cat([losses.t for losses in done]),  # (B,)
    )


def _update(state: TrainingState, recipe: TrainConfig) -> None:
    """One step of Adam and of the averaged weights."""
    for parameters in state.optimizer.param_groups:
        parameters["lr"] = learning_rate(state.step, recipe)
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


def _save(
    state: TrainingState,
    speech: SpeechFormat,
    options: RunOptions,
    log: StatusLog,
    group: ProcessGroup,
) -> Path:
    """Writes a checkpoint in the main process, unless the weights diverged."""
    stop_if_weights_diverged(state, options)
    path = checkpoint_path(options.out, state.step)
    if group.is_main:
        save(path, state, CheckpointInfo(options.preset, speech, state.step, options.seed))
        rotate(options.out, options.keep)
        log.write_report(path)
    return path


@contextmanager
def stop_signals() -> Iterator[Callable[[], bool]]:
    """Gives a function that says whether SIGINT or SIGTERM has come; they end nothing meanwhile."""
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
