"""Curves and strips of a run for TensorBoard, Weights & Biases or MLflow, behind one function."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from torch import Tensor

from model.config.choices import TrackerName
from pipeline.errors import UserError

Track = Callable[[dict[str, float | Tensor], int], None]
PROJECT = "diffused-heads"
_PACKAGES = {"tensorboard": "tensorboard", "wandb": "wandb", "mlflow": "mlflow-skinny"}


def check_tracker(name: TrackerName) -> None:
    """Raises a `UserError` for a tracker whose package is not installed."""
    if name != "none" and find_spec(name) is None:
        raise UserError(f"--tracker {name} needs a package: pip install {_PACKAGES[name]}")


@contextmanager
def open_tracker(
    name: TrackerName, run: Path, step: int, settings: dict[str, Any]
) -> Iterator[Track]:
    """Gives the function that records values, {name: value}, at a step.

    Floats are points on curves, (3, H, W) uint8 tensors are images. A resumed run goes on with its
    curves: values of steps after `step` are replaced. wandb and mlflow take their servers from
    their own variables (WANDB_MODE, MLFLOW_TRACKING_URI, …); without one mlflow writes into
    RUN/mlflow.
    """
    check_tracker(name)
    run.mkdir(parents=True, exist_ok=True)
    if name == "tensorboard":
        track, close = _tensorboard(run / "tensorboard", step + 1)
    elif name == "wandb":
        track, close = _wandb(run, settings)
    elif name == "mlflow":
        track, close = _mlflow(run, settings)
    else:
        track, close = (lambda _values, _step: None), (lambda: None)
    try:
        yield track
    finally:
        close()


def _tensorboard(folder: Path, first: int) -> tuple[Track, Callable[[], None]]:
    """Curves go on at step `first`; older points of that step and later go."""
    from torch.utils.tensorboard import SummaryWriter

    # TensorBoard reads files in the order of their names, which begin with the second in which they
    # were opened. Of two from one second either may be read first and remove the other's points.
    names = [path.name for path in folder.glob("events.out.tfevents.*")]
    while any(name.startswith(f"events.out.tfevents.{int(time.time()):010d}.") for name in names):
        time.sleep(0.02)
    writer = SummaryWriter(str(folder), purge_step=first)

    def track(values: dict[str, float | Tensor], step: int) -> None:
        for name, value in values.items():
            add = writer.add_image if isinstance(value, Tensor) else writer.add_scalar
            add(name, value, step)

    return track, writer.close


def _wandb(run: Path, settings: dict[str, Any]) -> tuple[Track, Callable[[], None]]:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    wandb = import_module("wandb")
    try:
        session = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            dir=run,
            name=run.name,
            id=_read_id(run / "wandb.id"),
            resume="allow",
            config=settings,
        )
    except wandb.errors.UsageError as error:
        raise UserError(
            f"--tracker wandb: {error}; run wandb login, or set WANDB_MODE=offline"
        ) from error
    (run / "wandb.id").write_text(session.id)

    def track(values: dict[str, float | Tensor], step: int) -> None:
        shown = {
            name: wandb.Image(_pixels(value)) if isinstance(value, Tensor) else value
            for name, value in values.items()
        }
        session.log(shown, step=step)

    return track, session.finish


def _mlflow(run: Path, settings: dict[str, Any]) -> tuple[Track, Callable[[], None]]:
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = import_module("mlflow")
    if not os.environ.get("MLFLOW_TRACKING_URI"):
        # MLflow refuses folders unless asked for; its databases need the whole package.
        os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        mlflow.set_tracking_uri((run / "mlflow").absolute().as_uri())
    mlflow.set_experiment(os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT))
    before = _read_id(run / "mlflow.id")
    session = mlflow.start_run(run_id=before, run_name=run.name)
    (run / "mlflow.id").write_text(session.info.run_id)
    if before is None:
        mlflow.log_params(settings)

    def track(values: dict[str, float | Tensor], step: int) -> None:
        for name, value in values.items():
            if isinstance(value, Tensor):
                mlflow.log_image(_pixels(value), key=name, step=step)
            else:
                mlflow.log_metric(name, value, step=step)

    return track, mlflow.end_run


def _read_id(path: Path) -> str | None:
    """Under which a tracker knows the run; None for a new one."""
    return path.read_text() if path.exists() else None


def _pixels(image: Tensor) -> Any:
    """(3, H, W) uint8 to (H, W, 3)."""
    return image.permute(1, 2, 0).contiguous().numpy()
