"""Training on several processes or machines through Ray Train, with the loop of one."""

import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from typing import Any

from model.checkpoints.checkpoint import latest, resolve
from model.checkpoints.transfer import init_from
from model.device import choose_device
from model.network.talking_head import SpeechFormat, TalkingHead
from model.training.loop import stop_signals, train
from model.training.process_group import ProcessGroup
from model.training.run_folder import checkpoint_to_resume
from model.training.run_options import RunOptions
from model.training.tracker import check_tracker
from pipeline.dataset.shards import read_dataset
from pipeline.errors import UserError
from pipeline.parallel.session import ray_session

RESULT = "ray"  # the folder in a run's folder that `ray.train.Result.from_path` reads
_WORKER_FAILURES = 3  # in one run, until it is given up


def train_on_ray(
    options: RunOptions,
    report: Callable[[str], None] = print,
    *,
    workers: int,
    address: str | None = None,
) -> Path:
    """Trains on several workers, which share every batch, and returns the last checkpoint.

    If a worker dies, all begin again from the last checkpoint and end in the same bits. Ray Train
    is given every checkpoint and its metrics, so that its dashboard and Ray Tune see them;
    afterwards `ray.train.Result.from_path(options.out / RESULT)` does. All machines see the run's
    folders; each worker has a GPU of its own where one is used.
    """
    options = _checked(options, workers)
    shutil.rmtree(options.out / RESULT, ignore_errors=True)  # of the run so far
    with ray_session(address) as ray, ThreadPoolExecutor(2) as threads:
        from ray.util.queue import Queue

        has = ray.cluster_resources()
        gpu = options.device == "cuda" or (options.device == "auto" and has.get("GPU", 0) > 0)
        kind, available = ("GPU", has.get("GPU", 0)) if gpu else ("CPU", has.get("CPU", 1))
        if workers > available:  # Ray would wait for ever
            raise UserError(
                f"{workers} workers need a {kind} each, the cluster has {available:g}; "
                "use fewer --workers, or the --address of a larger cluster"
            )
        # Status lines come one way, what asks a worker to save and stop goes the other.
        lines, stops = (Queue(actor_options={"num_cpus": 0}) for _ in range(2))
        trainer = _trainer(options, lines, stops, workers, gpu=gpu)

        def report_lines() -> None:
            while (line := lines.get()) is not None:
                report(line)

        reporting = threads.submit(report_lines)
        try:
            with stop_signals() as stop_requested:
                # In a thread: in the main thread Ray takes over Ctrl-C and throws the run away.
                training = threads.submit(trainer.fit)
                while not wait([training], timeout=0.2).done:
                    if stop_requested():
                        stops.put_nowait_batch([None] * workers)
        finally:
            lines.put(None)
            reporting.result()
        error: str | None = training.result().return_value
    if error:
        raise UserError(error)
    found = latest(options.out)
    assert found is not None
    return found


def _checked(options: RunOptions, workers: int) -> RunOptions:
    """The options with absolute paths, after what can be refused before Ray starts."""
    ProcessGroup(0, workers).rows(options.preset.train)
    check_tracker(options.tracker)
    dataset = read_dataset(options.data)
    checkpoint_to_resume(options, dataset)
    source = resolve(options.init_from) if options.init_from else None
    if source is not None:
        speech = SpeechFormat.of(dataset["speech"])
        init_from(source, TalkingHead(options.preset, speech))
    return replace(
        options,
        data=options.data.absolute(),
        out=options.out.absolute(),
        init_from=source.absolute() if source else None,
    )


def _trainer(options: RunOptions, lines: Any, stops: Any, workers: int, *, gpu: bool) -> Any:
    """Ray's trainer of a run."""
    from ray.train import CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    return TorchTrainer(
        _train_worker,
        train_loop_config={"options": options, "lines": lines, "stops": stops},
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu),
        run_config=RunConfig(
            name=RESULT,
            storage_path=str(options.out),
            failure_config=FailureConfig(max_failures=_WORKER_FAILURES),
            checkpoint_config=CheckpointConfig(num_to_keep=options.keep or None),
        ),
    )


def _train_worker(config: dict[str, Any]) -> str | None:
    """What each worker runs; gives the sentence of a `UserError`.

    Raised, Ray would restart the workers, and they would fail in the same way.
    """
    import ray.train
    from ray.train.torch import get_device

    options: RunOptions = config["options"]
    context = ray.train.get_context()
    group = ProcessGroup(context.get_world_rank(), context.get_world_size())
    device = get_device().type
    assert choose_device(device).type == device
    # After a worker's death the run is resumed, whatever it began with.
    begun = latest(options.out) is not None
    initial = None if begun else options.init_from
    options = replace(options, device=device, resume=begun, init_from=initial)
    try:
        train(
            options,
            config["lines"].put,
            group=group,
            stop=config["stops"].actor.get.remote().future().done,
            on_checkpoint=_report_to_ray,
        )
    except UserError as error:
        return str(error)
    return None


def _report_to_ray(path: Path, metrics: dict[str, float]) -> None:
    """Gives Ray a checkpoint as a folder of links: nothing is copied.

    Metrics go with checkpoints alone: Ray takes a report every two seconds at most, and one with
    each status line would slow small networks down.
    """
    import ray.train
    from ray.train import Checkpoint, CheckpointUploadMode

    context = ray.train.get_context()
    folder = Path(context.get_storage().build_checkpoint_path_from_name(path.stem))
    if context.get_world_rank() == 0:
        folder.mkdir(parents=True, exist_ok=True)  # left by a worker that died here
        for file in (path, path.with_suffix(".json")):
            link = folder / file.name
            link.unlink(missing_ok=True)
            link.symlink_to(Path("../..") / file.name)
    checkpoint = Checkpoint.from_directory(folder) if context.get_world_rank() == 0 else None
    ray.train.report(
        metrics,
        checkpoint=checkpoint,
        checkpoint_dir_name=path.stem,
        checkpoint_upload_mode=CheckpointUploadMode.NO_UPLOAD,
    )
