"""How training stands: lines for people, TensorBoard curves, and a report when it ends."""

from __future__ import annotations

import platform
import time
from contextlib import contextmanager
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

    from torch import Tensor

    from model.training.objective import Parts
    from model.training.process_group import Team
    from model.training.run_folder import RunOptions

QUARTILES = 4
REPORT = "report.json"


class StatusLog:
    """Counts what every step gives, and says how things stand every `log_every` steps.

    Every process of a team counts; the one that leads speaks.

    Args:
        options: of the run.
        first: step at which this process began.
        team: the processes.
        report: takes the lines.
    """

    def __init__(
        self, options: RunOptions, first: int, team: Team, report: Callable[[str], None]
    ) -> None:
        self._options, self._first, self._team, self._report = options, first, team, report
        self._writer = _curves(options.out / "tensorboard", first + 1) if team.leads else None
        before = _read_report(options.out) if first else {}
        self._seconds_before = float(before.get("seconds", 0.0))
        self._losses: dict[str, float] = before.get("loss", {})
        self._quartiles: list[float | None] = before.get("loss_by_timestep_quartile", [])
        self._step = first
        self._begin = self._last = time.perf_counter()
        self._waited = self._waited_last = 0.0
        self._sums: Tensor | None = None
        self._names: list[str] = []
        self._rate = 0.0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Counts the time that the loop waits for its data."""
        begin = time.perf_counter()
        yield
        self._waited += time.perf_counter() - begin

    def step(self, step: int, parts: Parts) -> None:
        """Counts a step, and says how things stand if it is time."""
        self._step = step
        now = self._counted(parts)
        self._sums = now if self._sums is None else self._sums + now
        if step % self._options.log_every == 0:
            self._speak()

    def _counted(self, parts: Parts) -> Tensor:
        """Sums over the frames of a batch: parts, their number, the simple loss by quartile of t.

        One tensor, so that a GPU is asked once for all of it.
        """
        self._names = ["total", *parts.by_frame]
        values = [value.detach().float().sum() for value in parts.by_frame.values()]
        frames = len(parts.t)
        quartile = parts.t * QUARTILES // self._options.preset.diffusion.steps
        one_hot = torch.nn.functional.one_hot(quartile, QUARTILES).float()
        return torch.cat(
            [
                torch.stack([parts.total.detach() * frames, *values]),
                torch.tensor([float(frames)], device=parts.t.device),
                parts.by_frame["simple"].detach().float() @ one_hot,
                one_hot.sum(0),
            ]
        )

    def _speak(self) -> None:
        assert self._sums is not None
        # Not in float64, which Apple's GPUs lack.
        sums = self._team.sum(self._sums).tolist()
        self._sums = None
        names, recipe = self._names, self._options.preset.train
        frames = sums[len(names)]
        self._losses = {name: value / frames for name, value in zip(names, sums, strict=False)}
        of_quartile, counts = sums[-2 * QUARTILES : -QUARTILES], sums[-QUARTILES:]
        self._quartiles = [
            value / count if count else None
            for value, count in zip(of_quartile, counts, strict=True)
        ]
        now = time.perf_counter()
        passed = now - self._last
        self._rate, waited = frames / passed, (self._waited - self._waited_last) / passed
        left = (now - self._begin) / (self._step - self._first) * (recipe.steps - self._step)
        self._last, self._waited_last = now, self._waited
        if not self._team.leads:
            return
        self._draw(waited)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in self._losses.items())
        self._report(
            f"step {self._step}/{recipe.steps}  {shown}  {self._rate:.1f} images/s  "
            f"data {100 * waited:.1f} %  {memory_used()}  {_clock(left)} left"
        )

    def _draw(self, waited: float) -> None:
        """Adds a point to every curve."""
        points: dict[str, float] = {f"loss/{name}": v for name, v in self._losses.items()}
        for index, value in enumerate(self._quartiles):
            if value is not None:
                points[f"loss_by_timestep/quartile_{index + 1}"] = value
        points["speed/images_per_second"] = self._rate
        points["speed/waiting_for_data"] = waited
        assert self._writer is not None
        for name, value in points.items():
            self._writer.add_scalar(name, value, self._step)

    def strip(self, step: int, image: Tensor) -> None:
        """Keeps a strip of sampled frames, (3, H, W) uint8, as a PNG and in TensorBoard."""
        assert self._writer is not None
        self._writer.add_image("sampled_above_real", image, step)
        path = self._options.out / "strips" / f"step-{step:07d}.png"
        write_image(path, image.permute(1, 2, 0).contiguous().numpy())

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Keeps the time of something else out of the speed of training."""
        begin = time.perf_counter()
        yield
        self._last += time.perf_counter() - begin

    def write_report(self, facts: dict[str, Any]) -> None:
        """Writes `report.json`: how far the run came, what it took, where the losses stand.

        Args:
            facts: what else is to be in it.
        """
        passed = time.perf_counter() - self._begin
        if self._writer is not None:
            write_json(
                self._options.out / REPORT,
                {
                    "step": self._step,
                    "steps": self._options.preset.train.steps,
                    "finished": self._step >= self._options.preset.train.steps,
                    "seconds": round(self._seconds_before + passed, 1),
                    "images_per_second": round(self._rate, 2),
                    "waiting_for_data": round(self._waited / passed, 4),
                    "workers": self._team.size,
                    "memory": memory_used(),
                    "loss": self._losses,
                    "loss_by_timestep_quartile": self._quartiles,
                    "software": {
                        "python": platform.python_version(),
                        **{name: version(name) for name in ("diffused-heads", "torch")},
                    },
                    **facts,
                },
            )

    def close(self) -> None:
        """Flushes the curves."""
        if self._writer is not None:
            self._writer.close()


def _curves(folder: Path, first: int) -> SummaryWriter:
    """Curves that go on at step `first`: what older files say of it and later is struck out.

    TensorBoard reads files in the order of their names, which begin with the second in which they
    were opened. Of two from one second either may come first, and strike out the other.
    """
    names = [path.name for path in folder.glob("events.out.tfevents.*")]
    while any(name.startswith(f"events.out.tfevents.{int(time.time()):010d}.") for name in names):
        time.sleep(0.02)
    return SummaryWriter(str(folder), purge_step=first)


def _read_report(run: Path) -> dict[str, Any]:
    """The report of the run so far; empty where there is none."""
    try:
        report: dict[str, Any] = read_json(run / REPORT)
    except FileNotFoundError:
        return {}
    return report


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
