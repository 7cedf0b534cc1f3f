"""Status of a run: lines for people, values for a tracker, and `report.json`."""

import platform
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from model.device import memory_used
from model.training.objective import BatchLosses
from model.training.process_group import ProcessGroup
from model.training.setup import Run
from model.training.tracker import Track
from pipeline.files import read_json, write_json
from pipeline.media import write_image

QUARTILES = 4
REPORT = "report.json"


@dataclass
class StatusLog:
    """Sums the losses of every step and reports their means every `log_every` steps.

    Every process sums; the main process writes, the others have no `track`.
    """

    run: Run
    group: ProcessGroup
    report: Callable[[str], None]
    track: Track | None
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        """Goes on with the losses of the run's report, where it is resumed."""
        self._options, self._state = self.run.options, self.run.state
        self._first, self._seconds_before = self._state.step, self._state.seconds
        path = self._options.out / REPORT
        before: dict[str, Any] = read_json(path) if self.run.resumed and path.exists() else {}
        self._losses: dict[str, float] = before.get("loss", {})
        self._quartiles: list[float | None] = before.get("loss_by_timestep_quartile", [])
        self._begin = self._last = self.clock()
        self._waited = self._waited_last = 0.0
        self._sums: Tensor | None = None
        self._rate = 0.0

    @property
    def metrics(self) -> dict[str, float]:
        """Step, speed and mean losses of the last status line, the same in every process."""
        losses = {f"loss/{name}": value for name, value in self._losses.items()}
        return {"step": self._state.step, "images_per_second": self._rate, **losses}

    @contextmanager
    def waiting_for_data(self) -> Iterator[None]:
        """Counts the time that the loop waits for its data."""
        begin = self.clock()
        yield
        self._waited += self.clock() - begin

    @contextmanager
    def not_training(self) -> Iterator[None]:
        """Keeps the time of checkpoints and strips out of the speed of training."""
        begin = self.clock()
        yield
        self._last += self.clock() - begin

    def step(self, losses: BatchLosses) -> None:
        """Adds a step's losses, and writes a status line if one is due."""
        sums = self._summed(losses)
        self._sums = sums if self._sums is None else self._sums + sums
        if self._state.step % self._options.log_every == 0:
            self._write_status(["total", *losses.by_frame], self.group.all_reduce(self._sums))
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
        sums = summed.tolist()
        frames = sums[len(names)]
        self._losses = {name: value / frames for name, value in zip(names, sums, strict=False)}
        by_quartile, counts = sums[-2 * QUARTILES : -QUARTILES], sums[-QUARTILES:]
        self._quartiles = [
            value / count if count else None
            for value, count in zip(by_quartile, counts, strict=True)
        ]

        # Speed.
        now = self.clock()
        passed = now - self._last
        self._rate, waited = frames / passed, (self._waited - self._waited_last) / passed
        trained = now - self._begin
        left = time_left(
            self.run, trained / (self._state.step - self._first), self._seconds_before + trained
        )
        self._last, self._waited_last = now, self._waited
        if self.track is None:
            return

        points = {
            **{f"loss/{name}": value for name, value in self._losses.items()},
            **{
                f"loss_by_timestep/quartile_{i}": value
                for i, value in enumerate(self._quartiles, 1)
                if value is not None  # no frame of that quartile was drawn
            },
            "speed/images_per_second": self._rate,
            "speed/waiting_for_data": waited,
        }
        self.track({**points}, self._state.step)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in self._losses.items())
        self.report(
            f"step {self._state.step}/{self._options.preset.train.steps}  {shown}  "
            f"{self._rate:.1f} images/s  data {100 * waited:.1f} %  {memory_used()}  {left} left"
        )

    def strip(self, image: Tensor) -> None:
        """Writes a strip of sampled frames, (3, H, W) uint8, as a PNG and to the tracker."""
        assert self.track is not None
        self.track({"sampled_above_real": image}, self._state.step)
        path = self._options.out / "strips" / f"step-{self._state.step:07d}.png"
        write_image(path, image.permute(1, 2, 0).contiguous().numpy())

    def write_report(self, checkpoint: Path) -> None:
        """Writes `report.json`: how far the run came, how fast, the losses, the last checkpoint."""
        if self.track is None:
            return
        state, options = self._state, self._options
        passed = self.clock() - self._begin
        write_json(
            options.out / REPORT,
            {
                "step": state.step,
                "steps": options.preset.train.steps,
                "minutes": options.minutes,
                "finished": options.progress(state.step, state.seconds) == 1,
                "seconds": round(state.seconds, 1),
                "images_per_second": round(self._rate, 2),
                "waiting_for_data": round(self._waited / max(passed, 1e-9), 4),
                "workers": self.group.world_size,
                "memory": memory_used(),
                "loss": self._losses,
                "loss_by_timestep_quartile": self._quartiles,
                "software": {
                    "python": platform.python_version(),
                    **{name: version(name) for name in ("diffused-heads", "torch")},
                },
                "device": str(self.run.device),
                "precision": self.run.precision,
                "checkpoint": checkpoint.name,
            },
        )


def start_line(run: Run) -> str:
    """The first line of a run: preset, parameters, device, precision and steps."""
    preset, parameters = run.options.preset, sum(p.numel() for p in run.state.model.parameters())
    minutes = f", at most {run.options.minutes:g} minutes" if run.options.minutes else ""
    return (
        f"{preset.name}: {parameters / 1e6:.1f} M parameters, {run.device}, {run.precision}, "
        f"steps {run.state.step} to {preset.train.steps}{minutes}"
    )


def time_left(run: Run, seconds_a_step: float, spent: float) -> timedelta:
    """Until the last step or the last minute, whichever comes first; `spent`: seconds so far."""
    left = seconds_a_step * (run.options.preset.train.steps - run.state.step)
    if run.options.minutes:
        left = min(left, 60 * run.options.minutes - spent)
    return timedelta(seconds=round(max(0.0, left)))
