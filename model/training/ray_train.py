"""Training on several processes or machines through Ray Train, with the loop of one."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from model.checkpoints.checkpoint import latest, resolve
from model.checkpoints.transfer import init_from
from model.device import choose_device
from model.network.talking_head import SpeechFormat, TalkingHead
from model.training.loop import train
from model.training.process_group import Team
from model.training.run_folder import checkpoint_to_resume
from pipeline.dataset.shards import read_dataset
from pipeline.errors import UserError
from pipeline.parallel.session import ray_session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from model.training.run_folder import RunOptions

_DEATHS = 3  # of workers, in one run, until it is given up
_LOG, _STOP, _FAILED = "train.log", "stop", "failed"
_PAUSE = 0.2  # seconds between two looks for new lines


def train_on_ray(
    options: RunOptions,
    report: Callable[[str], None] = print,
    *,
    workers: int,
    address: str | None = None,
) -> Path:
    """Trains on several workers, which share every batch.

    The workers speak through `train.log` in the run's folder and stop when a file `stop` appears
    there: both work wherever the folder is seen. If a worker dies, all begin again from the last
    checkpoint; what comes of it is the same, bit for bit.

    Args:
        options: of the run; its folders are seen by all machines.
        report: takes the status lines.
        workers: processes; each has a GPU of its own where one is used.
        address: of a running Ray cluster; None starts one on this machine.

    Returns:
        The last checkpoint.

    Raises:
        UserError: the data set, the run's folder and the preset do not fit together, or the
            cluster has too little for so many workers.
        FloatingPointError: the loss is not finite; the message names the batch's clips.
    """
    for rank in range(workers):  # what is wrong is told here, not by a worker
        Team(rank, workers).rows(options.preset.train)
    dataset = read_dataset(options.data)
    speech = SpeechFormat.of(dataset["speech"])
    checkpoint_to_resume(options, dataset)
    source = options.init_from
    if source is not None:
        init_from(resolve(source), TalkingHead(options.preset, speech))
    options = replace(
        options,
        data=options.data.absolute(),
        out=options.out.absolute(),
        init_from=source.absolute() if source else None,
    )
    options.out.mkdir(parents=True, exist_ok=True)
    for name in (_STOP, _FAILED):
        (options.out / name).unlink(missing_ok=True)
    with ExitStack() as stack:
        # Removed after Ray has ended: what still runs of it would make the folder anew.
        storage = stack.enter_context(TemporaryDirectory(prefix="dh-train-"))
        ray = stack.enter_context(ray_session(address))
        gpu = options.device == "cuda" or (
            options.device == "auto" and ray.cluster_resources().get("GPU", 0) > 0
        )
        _refuse_too_many(ray.cluster_resources(), workers, gpu=gpu)
        stack.enter_context(_stopping(options.out))
        stack.enter_context(_following(options.out / _LOG, report))
        _fit(options, workers, storage, gpu=gpu)
    failed = options.out / _FAILED
    if failed.exists():
        reason = failed.read_text(encoding="utf-8")
        failed.unlink()
        raise FloatingPointError(reason)
    found = latest(options.out)
    assert found is not None
    return found


def _refuse_too_many(resources: dict[str, float], workers: int, *, gpu: bool) -> None:
    """Ray would wait for ever for what the cluster does not have."""
    kind, there = ("GPU", resources.get("GPU", 0)) if gpu else ("CPU", resources.get("CPU", 1))
    if workers > there:
        raise UserError(
            f"{workers} workers need a {kind} each, the cluster has {there:g}; "
            "use fewer --workers, or the --address of a larger cluster"
        )


def _fit(options: RunOptions, workers: int, storage: str, *, gpu: bool) -> None:
    """Runs Ray Train to its end."""
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchTrainer

    trainer = TorchTrainer(
        _work,
        train_loop_config={"options": options},
        scaling_config=ScalingConfig(num_workers=workers, use_gpu=gpu),
        run_config=RunConfig(
            name="run",
            storage_path=storage,
            failure_config=FailureConfig(max_failures=_DEATHS),
        ),
    )
    errors: list[Exception] = []

    def fit() -> None:
        try:
            trainer.fit()
        except Exception as error:  # noqa: BLE001 - raised below, where it can be caught
            errors.append(error)

    # Ray takes over Ctrl-C if it is started in the main thread, and throws the run away.
    thread = threading.Thread(target=fit, daemon=True)
    thread.start()
    while thread.is_alive():
        thread.join(_PAUSE)
    if errors:
        raise _cause(errors[0])


def _cause(error: Exception) -> Exception:
    """The workers' own error, if it is one for the user."""
    failures = getattr(error, "worker_failures", {})
    causes = [getattr(failure, "cause", failure) for failure in failures.values()]
    return next((cause for cause in causes if isinstance(cause, UserError)), error)


def _work(config: dict[str, Any]) -> None:
    """What each worker does."""
    import ray.train
    from ray.train.torch import get_device

    options: RunOptions = config["options"]
    context = ray.train.get_context()
    team = Team(context.get_world_rank(), context.get_world_size())
    device = get_device().type
    assert choose_device(device).type == device
    # After a death the run goes on, whatever it began with.
    begun = latest(options.out) is not None
    begins_with = None if begun else options.init_from
    options = replace(options, device=device, resume=begun, init_from=begins_with)

    @contextmanager
    def stop() -> Iterator[Callable[[], bool]]:
        yield (options.out / _STOP).exists

    with (options.out / _LOG).open("a", encoding="utf-8") as log:

        def report(line: str) -> None:
            print(line, file=log, flush=True)

        try:
            train(options, report, team=team, stop=stop())
        except FloatingPointError as error:
            # Raised by all; Ray would try again and again, and fail again and again.
            if team.leads:
                (options.out / _FAILED).write_text(str(error), encoding="utf-8")


@contextmanager
def _stopping(run: Path) -> Iterator[None]:
    """Passes SIGINT and SIGTERM on to the workers as a file."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    kept = {n: signal.signal(n, lambda *_: (run / _STOP).touch()) for n in numbers}
    try:
        yield
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
        (run / _STOP).unlink(missing_ok=True)


@contextmanager
def _following(path: Path, report: Callable[[str], None]) -> Iterator[None]:
    """Reports the lines that are added to a file meanwhile."""
    ended = threading.Event()
    begin = path.stat().st_size if path.exists() else 0

    def follow() -> None:
        place, rest = begin, b""
        while True:
            last = ended.is_set()  # asked first, so that the last lines are read
            if path.exists():
                with path.open("rb") as file:
                    file.seek(place)
                    new = file.read()
                place += len(new)
                *lines, rest = (rest + new).split(b"\n")
                for line in lines:
                    report(line.decode())
            if last:
                return
            time.sleep(_PAUSE)

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
