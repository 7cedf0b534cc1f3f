"""Training that diverged: one sentence with the step, the last good checkpoint and the remedy."""

import torch

from model.checkpoints.checkpoint import TrainingState, checkpoints
from model.data.training_frame import Batch
from model.training.objective import BatchLosses
from model.training.process_group import ProcessGroup
from model.training.run_folder import checkpoint_path
from model.training.run_options import RunOptions
from pipeline.errors import UserError


def stop_if_diverged(
    losses: BatchLosses, batch: Batch, step: int, options: RunOptions, group: ProcessGroup
) -> None:
    """Raises, in every process, if the loss of any is not finite.

    The `UserError` names the clips whose features are not finite either, if any.
    """
    if all(group.all_gather(bool(torch.isfinite(losses.total)))):
        return
    finite = torch.isfinite(batch.speech.flatten(1)).all(1) & torch.isfinite(batch.lips).all(1)
    keys = {key for key, ok in zip(batch.keys, finite.tolist(), strict=True) if not ok}
    corrupted = sorted(set().union(*group.all_gather(keys)))
    if corrupted:
        raise UserError(
            f"{options.data}: speech features or landmarks of {', '.join(corrupted)} are not "
            "finite numbers; prepare these clips again with dh-prep run, or leave them out"
        )
    raise _diverged("the loss", step, options)


def stop_if_weights_diverged(state: TrainingState, options: RunOptions) -> None:
    """Raises if a weight is not finite, so that every checkpoint is one to go on from."""
    if not all(bool(torch.isfinite(weight).all()) for weight in state.model.parameters()):
        raise _diverged("a weight", state.step, options)


def _diverged(what: str, step: int, options: RunOptions) -> UserError:
    # A checkpoint of this very step is already part of the divergence.
    bad = checkpoint_path(options.out, step)
    good = [path for path in checkpoints(options.out) if path != bad]
    if good:
        move = f"move {bad} away and " if bad.exists() else ""
        remedy = f"{move}go on from the last good checkpoint, {good[-1]}, with --resume and"
    else:
        move = f"delete {bad} and " if bad.exists() else ""
        remedy = f"no good checkpoint had been saved; {move}begin again with"
    recipe = options.preset.train
    return UserError(
        f"training diverged: {what} is not finite after step {step} of {recipe.steps}; {remedy} a "
        f"lower --set train.learning_rate (now {recipe.learning_rate:g}), a longer --set "
        f"train.warmup (now {recipe.warmup}) or a --set train.clip_norm "
        f"(now {recipe.clip_norm:g}, 0 is no limit)"
    )
