"""How training stands: status lines for people, TensorBoard curves for everyone else."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from torch.utils.tensorboard import SummaryWriter

from model.device import memory_used
from pipeline.media import write_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

    from model.diffusion import Losses
    from model.train import RunOptions


class StatusLog:
    """Status lines for people, TensorBoard curves for everyone else.

    Args:
        options: of the run.
        first: step at which this process began.
        report: takes the lines.
    """

    def __init__(self, options: RunOptions, first: int, report: Callable[[str], None]) -> None:
        self._options, self._first, self._report = options, first, report
        self._writer = SummaryWriter(str(options.out / "tensorboard"), purge_step=first + 1)
        self._begin = self._last = time.perf_counter()
        self._sums: dict[str, float] = {}
        self._counted = 0

    def step(self, step: int, parts: Losses, total: Tensor) -> None:
        """Counts a step, and says how things stand every `log_every` of them."""
        values = {"loss": total, "simple": parts.simple, "vlb": parts.vlb, "lip": parts.lip}
        for name, tensor in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + tensor.detach().mean().item()
        self._counted += 1
        recipe = self._options.preset.train
        if step % self._options.log_every:
            return
        now = time.perf_counter()
        rate = self._counted * recipe.batch_size / (now - self._last)
        left = (now - self._begin) / (step - self._first) * (recipe.steps - step)
        means = {name: value / self._counted for name, value in self._sums.items()}
        for name, value in means.items():
            self._writer.add_scalar(f"loss/{name}", value, step)
        self._writer.add_scalar("speed/images_per_second", rate, step)
        shown = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
        self._report(
            f"step {step}/{recipe.steps}  {shown}  {rate:.1f} images/s  "
            f"{memory_used()}  {_clock(left)} left"
        )
        self._last, self._sums, self._counted = now, {}, 0

    def strip(self, step: int, image: Tensor) -> None:
        """Keeps a strip of sampled frames, (3, H, W) uint8, as a PNG and in TensorBoard."""
        self._writer.add_image("sampled_above_real", image, step)
        path = self._options.out / "strips" / f"step-{step:07d}.png"
        write_image(path, image.permute(1, 2, 0).contiguous().numpy())
        self._last = time.perf_counter()

    def close(self) -> None:
        """Flushes the curves."""
        self._writer.close()


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
