"""Status of a run: lines for people, TensorBoard curves, and `report.json`."""

from __future__ import annotations

import platform
import time
from contextlib import contextmanager
from datetime import timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import torch
from torch.utils.tensorboard import SummaryWriter

from model.device import memory_used
from pipeline.files import read_json, write_json
from pipeline.media import write_image

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from torch import Tensor, nn

    from model.training.objective import BatchLosses
    from model.training.process_group import ProcessGroup
    from model.training.run_options import RunOptions

QUARTILES = 4
REPORT = "report.json"


class StatusLog:
    """Sums the losses of every step and reports their means every `log_every` steps.

    Every process sums; the main process writes.

    Args:
        options: of the run.
        first: step at which this process began.
        group: the processes.
        report: takes the lines.
        device: for `report.json`.
        precision: for `report.json`.
    """

    def __init__(
        self,
        options: RunOptions,
        first: int,
        group: ProcessGroup,
        report: Callable[[str], None],
        device: str,
        precision: str,
    ) -> None:
        self._options, self._first, self._group, self._report = options, first, group, report
        self._facts = {"device": device, "precision": precision}
        self._writer = _curves(options.out / "tensorboard", first + 1) if group.is_main else None
        before = _read_report(options.out) if first else {}
        self._seconds_before = float(before.get("seconds", 0.0))
        self._losses: dict[str, float] = before.get("loss", {})
        self._quartiles: list[float | None] = before.get("loss_by_timestep_quartile", [])
        self._step = first
        self._begin = self._last = time.perf_counter()
        self._waited = self._waited_last = 0.0
        self._sums: Tensor | None = None
        self._rate = 0.0

    def write_start(self, model: nn.Module, notes: list[str]) -> None:
        """Reports what begins, and notes on it."""
        if self._group.is_main:
            preset, device, precision = self._options.preset, *self._facts.values()
            parameters = sum(p.numel() for p in model.parameters())
            self._report(
                f"{preset.name}: {parameters / 1e6:.1f} M parameters, {device}, {precision}, "
                f"steps {self._first} to {preset.train.steps}"
            )
            for note in notes:
                self._report(note)

    @property
    def metrics(self) -> dict[str, float]:
        """Step, speed and mean losses of the last status line, the same in every process."""
        losses = {f"loss/{name}": value for name, value in self._losses.items()}
        return {"step": self._step, "images_per_second": self._rate, **losses}

    @contextmanager
    def waiting_for_data(self) -> Iterator[None]:
        """Counts the time that the loop waits for its data."""
        begin = time.perf_counter()
        yield
        self._waited += time.perf_counter() - begin

    @contextmanager
    def not_training(self) -> Iterator[None]:
        """Keeps the time of checkpoints and strips out of the speed of training."""
        begin = time.perf_counter()
        yield
        self._last += time.perf_counter() - begin

    def step(self, step: int, losses: BatchLosses) -> None:
        """Adds a step's losses, and writes a status line if one is due."""
        self._step = step
        sums = self._summed(losses)
        self._sums = sums if self._sums is None else self._sums + sums
        if step % self._options.log_every == 0:
            self._write_status(["total", *losses.by_frame], self._group.all_reduce(self._sums))
            self._sums = None

    def _summed(self, losses: BatchLosses) -> Tensor:
        """Sums over a batch's frames: each loss, their number, the simple loss by quartile of t.

        One tensor, so that a GPU is asked once for all of it; not float64, which Apple's GPUs lack.
        """
        values = [value.detach().float().sum() for value in losses.by_frame.values()]
        frames = len(losses.t)
        quartile = losses.t * QUARTILES // self._options.preset.diffusion.steps
        one_hot = torch.nn.functional.one_hot(quartile, QUARTILES).float()  # (B, 4)
        return torch.cat(
            [
                torch.stack([losses.total.detach() * frames, *values]),
                torch.tensor([float(frames)], device=losses.t.device),
                losses.by_frame["simple"].detach().float() @ one_hot,  # (4,)
                one_hot.sum(0),  # (4,)
            ]
        )

    def _write_status(self, names: list[str], summed: Tensor) -> None:
        """Means since the last status: a line, and a point on every curve."""
        # Losses.
        sums, steps = summed.tolist(), self._options.preset.train.steps
        frames = sums[len(names)]
        self._losses = {name: value / frames for name, value in zip(names, sums, strict=False)}
        by_quartile, counts = sums[-2 * QUARTILES : -QUARTILES], sums[-QUARTILES:]
        self._quartiles = [
            value / count if count else None
            for value, count in zip(by_quartile, counts, strict=True)
        ]

        # Speed.
        now = time.perf_counter()
        passed = now - self._last
        self._rate, waited = frames / passed, (self._waited - self._waited_last) / passed
        left = (now - self._begin) / (self._step - self._first) * (steps - self._step)
        self._last, self._waited_last = now, self._waited
        if self._writer is None:
            return

        points = {
            **{f"loss/{name}": value for name, value in self._losses.items()},
            **{f"loss_by_timestep/quartile_{i}": v for i, v in enumerate(self._quartiles, 1)},
            "speed/images_per_second": self._rate,
            "speed/waiting_for_data": waited,
        }
        for name, value in points.items():
            if value is not None:  # no frame of that quartile was drawn
                self._writer.add_scalar(name, value, self._step)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in self._losses.items())
        self._report(
            f"step {self._step}/{steps}  {shown}  {self._rate:.1f} images/s  "
            f"data {100 * waited:.1f} %  {memory_used()}  {timedelta(seconds=round(left))} left"
        )

    def strip(self, step: int, image: Tensor) -> None:
        """Writes a strip of sampled frames, (3, H, W) uint8, as a PNG and to TensorBoard."""
        assert self._writer is not None
        self._writer.add_image("sampled_above_real", image, step)
        path = self._options.out / "strips" / f"step-{step:07d}.png"
        write_image(path, image.permute(1, 2, 0).contiguous().numpy())

    def write_report(self, checkpoint: Path) -> None:
        """Writes `report.json`: how far the run came, how fast, and the losses.

        Args:
            checkpoint: the last one.
        """
        if self._writer is None:
            return
        passed, steps = time.perf_counter() - self._begin, self._options.preset.train.steps
        write_json(
            self._options.out / REPORT,
            {
                "step": self._step,
                "steps": steps,
                "finished": self._step >= steps,
                "seconds": round(self._seconds_before + passed, 1),
                "images_per_second": round(self._rate, 2),
                "waiting_for_data": round(self._waited / passed, 4),
                "workers": self._group.world_size,
                "memory": memory_used(),
                "loss": self._losses,
                "loss_by_timestep_quartile": self._quartiles,
                "software": {
                    "python": platform.python_version(),
                    **{name: version(name) for name in ("diffused-heads", "torch")},
                },
                **self._facts,
                "checkpoint": checkpoint.name,
            },
        )

    def close(self) -> None:
        """Flushes the curves."""
        if self._writer is not None:
            self._writer.close()


def _curves(folder: Path, first: int) -> SummaryWriter:
    """A writer of curves that go on at step `first`; older points of that step and later go.

    TensorBoard reads files in the order of their names, which begin with the second in which they
    were opened. Of two from one second either may be read first and remove the other's points.
    """
    names = [path.name for path in folder.glob("events.out.tfevents.*")]
    while any(name.startswith(f"events.out.tfevents.{int(time.time()):010d}.") for name in names):
        time.sleep(0.02)
    return SummaryWriter(str(folder), purge_step=first)


def _read_report(run: Path) -> dict[str, Any]:
    """The report of the run so far; empty before the first."""
    try:
        report: dict[str, Any] = read_json(run / REPORT)
    except FileNotFoundError:
        return {}
    return report
