"""The training loop: shards in, checkpoints out; the same on one process or many."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn
from torch.nn.utils import clip_grad_norm_

from model.checkpoints.checkpoint import CheckpointInfo, TrainingState, rotate, save
from model.config.recipe import TrainConfig, ema_decay, learning_rate
from model.data.training_frame import Batch
from model.device import few_threads
from model.sampling.denoiser import call_flops
from model.training.divergence import stop_if_diverged, stop_if_weights_diverged
from model.training.objective import BatchLosses
from model.training.preview import draw_strip
from model.training.process_group import SINGLE_PROCESS, ProcessGroup
from model.training.run_folder import checkpoint_path, flat, write_options
from model.training.run_options import RunOptions
from model.training.setup import set_up
from model.training.status import StatusLog, start_line
from model.training.tracker import open_tracker


def train(
    options: RunOptions,
    report: Callable[[str], None] = print,
    *,
    group: ProcessGroup = SINGLE_PROCESS,
    stop: Callable[[], bool] | None = None,
    on_checkpoint: Callable[[Path, dict[str, float]], None] | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Path:
    """Trains until the preset's last step, the last minute, or until it is to stop, and saves.

    An interrupted run that is resumed ends in the same bits as one that was not; with
    `options.minutes`, if each step took the same time.

    Args:
        options: of the run.
        report: takes the status lines.
        group: the processes that train together; each of them calls this.
        stop: whether to stop, asked after every step; None: whether SIGINT or SIGTERM has come.
        on_checkpoint: called in every process after a checkpoint was saved, with its path and the
            metrics of the last status line.
        clock: seconds, from any beginning.

    Returns:
        The last checkpoint.

    Raises:
        UserError: the data set, the run's folder and the preset do not fit together, or the
            training diverged.
    """
    # 1. Data, weights, average, Adam. Nothing is written before the tracker is opened.
    begin = clock()
    run = set_up(options, group)
    options, state, recipe = run.options, run.state, run.options.preset.train
    seconds_before = state.seconds

    # 2. What the user sees, and where curves go.
    stopping = stop_signals() if stop is None else nullcontext(stop)
    settings = flat("", asdict(options.preset))
    tracking = open_tracker(options.tracker, options.out, state.step, settings)
    with (
        closing(run.batches),
        tracking if group.is_main else nullcontext() as track,
        stopping as stop_requested,
        few_threads(call_flops(options.preset.unet)),
    ):
        log = StatusLog(run, group, report, track, clock)
        if group.is_main:
            for line in (start_line(run), *run.notes):
                report(line)
            write_options(options, run.dataset)

        def save_checkpoint() -> Path:
            stop_if_weights_diverged(state, options)
            path = checkpoint_path(options.out, state.step)
            if group.is_main:
                info = CheckpointInfo(
                    options.preset, run.speech, state.step, options.seed, state.seconds
                )
                save(path, state, info)
                rotate(options.out, options.keep)
                log.write_report(path)
            if on_checkpoint:
                on_checkpoint(path, log.metrics)
            return path

        # 3. The steps.
        saved, stopped = run.resumed, False
        progress = options.progress(state.step, state.seconds)  # 0 … 1
        while progress < 1 and not stopped:
            with log.waiting_for_data():
                batch = next(run.batches)  # this process's rows of the batch
            # Dropout's numbers, like all others, follow from seed and step.
            torch.manual_seed((options.seed * 1_000_003 + state.step) * 65_537 + group.rank)
            losses = backward(run.objective, batch, recipe, group)
            stop_if_diverged(losses, batch, state.step, options, group)
            update(state, progress, recipe)
            log.step(losses)

            # All processes end after the same step: the main one's clock and any one's signal.
            stopped, state.seconds = group.agree(stop_requested(), seconds_before + clock() - begin)
            progress = options.progress(state.step, state.seconds)
            with log.not_training():
                if progress == 1 or state.step % options.save_every == 0:
                    saved = save_checkpoint()
                every = options.strip_every
                if every and group.is_main and (progress == 1 or state.step % every == 0):
                    log.strip(draw_strip(state.average, options.preset, options.data, options.seed))

        # 4. The checkpoint of a run that was stopped. Still inside the with-block: a second Ctrl-C
        # must not cost the checkpoint that the first one asked for.
        path = checkpoint_path(options.out, state.step)
        if saved != path:
            save_checkpoint()
        log.write_report(path)
    return path


def backward(
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


def update(state: TrainingState, progress: float, recipe: TrainConfig) -> None:
    """One step of Adam and of the averaged weights."""
    for parameters in state.optimizer.param_groups:
        parameters["lr"] = learning_rate(state.step, progress, recipe)
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
