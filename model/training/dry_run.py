"""What a run would take, measured on a few of its steps; nothing is written."""

import time
from collections.abc import Callable
from contextlib import closing

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from model.data.training_frame import Batch
from model.device import few_threads, memory_used
from model.sampling.denoiser import call_flops
from model.training.loop import backward, update
from model.training.process_group import SINGLE_PROCESS
from model.training.run_folder import OPTIONS_FILE, checkpoint_path
from model.training.run_options import RunOptions
from model.training.setup import Run, set_up
from model.training.status import REPORT, start_line, time_left

_SECONDS = 10.0  # of the timed sample, at least
_BYTES = 4 * 5  # a parameter: float32 weight, gradient, average and Adam's two moments


def dry_run(
    options: RunOptions,
    report: Callable[[str], None] = print,
    *,
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """Reports parameters, memory, speed, time to the end and files of a run, and writes nothing."""
    run = set_up(options, SINGLE_PROCESS)
    options, recipe = run.options, run.options.preset.train
    for line in (start_line(run), *run.notes):
        report(line)
    with closing(run.batches), few_threads(call_flops(options.preset.unet)):
        # Memory: an estimate before the first step, which may be what does not fit.
        batch = next(run.batches)
        states = _BYTES * sum(p.numel() for p in run.state.model.parameters())
        rows = recipe.batch_size // recipe.accumulate
        kept = rows * _activations(run, batch.parts(len(batch))[0])
        report(
            f"memory, estimated: {states / 2**30:.2f} GiB for weights, gradients, average and "
            f"Adam, {kept / 2**30:.2f} GiB for activations of {rows} frames"
        )
        _step(run, batch)
        report(f"memory, measured: {memory_used()} at most, libraries included")

        # Speed: whole steps, their waiting for data too.
        begin, steps = clock(), 0
        while not steps or clock() - begin < _SECONDS:
            _step(run, next(run.batches))
            steps += 1
        seconds = (clock() - begin) / steps

    # The end. Checkpoints hold weights, average and moments, and no gradients.
    left = time_left(run, seconds, run.state.seconds)
    report(
        f"speed: {recipe.batch_size / seconds:.1f} images/s; {left} to the end, without the time "
        "for checkpoints and strips"
    )
    out, size = options.out, states * 4 / 5 / 2**20
    kept_files = f"the last {options.keep} kept" if options.keep else "all kept"
    report(f"would write: {out / OPTIONS_FILE}, {out / REPORT}")
    report(
        f"would write: {checkpoint_path(out, recipe.steps)} and .json, {size:.0f} MiB, every "
        f"{options.save_every} steps and at the end, {kept_files}"
    )
    if options.strip_every:
        report(f"would write: {out}/strips/*.png, every {options.strip_every} steps and at the end")
    if options.tracker != "none":
        report(f"would write: curves for {options.tracker}")


def _activations(run: Run, frame: Batch) -> int:
    """Bytes that the forward pass of a batch keeps for its backward pass, besides parameters."""
    ours = {p.untyped_storage().data_ptr() for p in run.state.model.parameters()}
    sizes: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in ours:
            sizes[storage.data_ptr()] = storage.nbytes()
        return tensor

    with saved_tensors_hooks(note, lambda tensor: tensor):
        run.objective(frame)
    return sum(sizes.values())


def _step(run: Run, batch: Batch) -> None:
    """A step of training on weights that are thrown away; only the count of steps stays."""
    recipe, step = run.options.preset.train, run.state.step
    backward(run.objective, batch, recipe, SINGLE_PROCESS)
    update(run.state, 0.0, recipe)
    run.state.step = step
    if run.device.type == "cuda":
        torch.cuda.synchronize()
