"""What a run begins with: network, objective, Adam and batches; nothing is written."""

import copy
from collections.abc import Generator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import nn

from model.checkpoints.checkpoint import TrainingState, read_info, restore
from model.checkpoints.transfer import init_from
from model.data.stream import Clips, Lanes, batches
from model.data.training_frame import Batch
from model.device import choose_device, choose_memory_format, choose_precision
from model.network.talking_head import SpeechFormat, TalkingHead
from model.training.objective import Objective
from model.training.process_group import ProcessGroup
from model.training.run_folder import checkpoint_to_resume, notes_on_changes
from model.training.run_options import RunOptions
from model.training.tracker import check_tracker
from pipeline.dataset.shards import read_dataset


@dataclass(frozen=True)
class Run:
    """A run that is ready for its next step."""

    options: RunOptions  # of the run; the seed is that of a resumed run
    dataset: dict[str, Any]  # the content of `dataset.json`
    speech: SpeechFormat  # format of the data's features
    device: torch.device  # where the network computes
    precision: Literal["bf16", "float32"]  # its arithmetic
    resumed: Path | None  # the checkpoint that it goes on from, if any
    state: TrainingState  # weights, their average and Adam
    objective: nn.Module  # the loss of a batch
    # this process's rows of every batch, from the next step on
    batches: Generator[Batch, None, None]
    notes: list[str]  # sentences for the user


def set_up(options: RunOptions, group: ProcessGroup) -> Run:
    """Reads data set and checkpoint, and builds what training needs.

    A `UserError` if the data set, the run's folder and the preset do not fit together.
    """
    # Do options, data set and the run's folder fit together?
    recipe, unet = options.preset.train, options.preset.unet
    rows = group.rows(recipe)
    check_tracker(options.tracker)
    device = choose_device(options.device)
    precision = choose_precision(options.precision, device)
    dataset = read_dataset(options.data)
    speech = SpeechFormat.of(dataset["speech"])
    resumed = checkpoint_to_resume(options, dataset)
    if resumed:
        options = replace(options, seed=read_info(resumed).seed)

    # Weights, their average and Adam: fresh, or as the checkpoint has them.
    torch.manual_seed(options.seed)
    model = TalkingHead(options.preset, speech)
    notes = init_from(options.init_from, model) if options.init_from else []
    notes += notes_on_changes(resumed, options, dataset)
    model.to(device)
    memory_format = choose_memory_format(options.memory_format, device, unet)
    # torch's stubs know no call with memory_format alone.
    model.to(memory_format=memory_format)  # type: ignore[call-overload]
    average = copy.deepcopy(model).eval().requires_grad_(requires_grad=False)
    fused = device.type in ("cpu", "cuda")
    adam = torch.optim.Adam(model.parameters(), recipe.learning_rate, fused=fused)
    state = TrainingState(model, average, adam)
    if resumed:
        restore(resumed, state)
    objective = group.data_parallel(Objective(model, options.preset, precision))
    if options.compile:
        model.unet.compile()

    # Batches, from the step that is next.
    clips = Clips.of(options.data)
    lanes = Lanes(clips, rows, recipe.batch_size, unet, recipe, seed=options.seed, skip=state.step)
    loader = batches(lanes, readers=options.loaders, device=device)
    return Run(
        options, dataset, speech, device, precision, resumed, state, objective, loader, notes
    )
