"""Data parallelism: the processes that train one model together."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar, cast

from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel

from model.config.recipe import TrainConfig
from pipeline.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class ProcessGroup:
    """The default process group of torch.distributed, or a single process."""

    rank: int = 0  # of this process
    world_size: int = 1  # number of processes

    @property
    def is_main(self) -> bool:
        """Whether this process writes files and status lines."""
        return self.rank == 0

    def rows(self, recipe: TrainConfig) -> range:
        """The rows of a batch that this process computes; a `UserError` if it cannot be divided."""
        parts = self.world_size * recipe.accumulate
        if recipe.batch_size % parts:
            raise UserError(
                f"a batch of {recipe.batch_size} frames cannot be divided evenly among "
                f"{self.world_size} workers in {recipe.accumulate} parts each; choose --batch-size "
                f"as a multiple of {parts}"
            )
        return range(self.rank, recipe.batch_size, self.world_size)

    def data_parallel(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over all processes."""
        if self.world_size == 1:
            return module
        # Networks of this size are one device each; the buffers (means of the data) never change.
        return DistributedDataParallel(module, broadcast_buffers=False)

    def no_sync(self, module: nn.Module) -> AbstractContextManager[None]:
        """Inside, gradients are summed up in this process and not averaged over all."""
        if self.world_size == 1:
            return nullcontext()
        return cast(
            "AbstractContextManager[None]", cast("DistributedDataParallel", module).no_sync()
        )

    def agree(self, stop: bool, seconds: float) -> tuple[bool, float]:
        """Whether any process is to stop, and the main one's time, so that all end together."""
        gathered = self.all_gather((stop, seconds))
        return any(stopped for stopped, _ in gathered), gathered[0][1]

    def all_gather(self, value: T) -> list[T]:
        """The value of every process, by rank."""
        if self.world_size == 1:
            return [value]
        values: list[T] = [value] * self.world_size
        distributed.all_gather_object(values, value)
        return values

    def all_reduce(self, values: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.world_size > 1:
            distributed.all_reduce(values)
        return values


SINGLE_PROCESS = ProcessGroup()
