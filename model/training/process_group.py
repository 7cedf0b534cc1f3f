"""The processes that train one model together, and what they tell each other."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar, cast

from torch import distributed
from torch.nn.parallel import DistributedDataParallel

from pipeline.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from model.config.recipe import TrainConfig

T = TypeVar("T")


@dataclass(frozen=True)
class Team:
    """Processes of a default process group of torch.distributed, or one alone.

    Attributes:
        rank: of this process.
        size: number of processes.
    """

    rank: int = 0
    size: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes files and speaks to the user."""
        return self.rank == 0

    def rows(self, recipe: TrainConfig) -> range:
        """The rows of a batch that are this process's.

        Raises:
            UserError: the batch cannot be divided into equal parts.
        """
        if recipe.batch_size % (self.size * recipe.accumulate):
            raise UserError(
                f"a batch of {recipe.batch_size} frames cannot be divided evenly among "
                f"{self.size} workers in {recipe.accumulate} parts each; choose --batch-size as a "
                f"multiple of {self.size * recipe.accumulate}"
            )
        return range(self.rank, recipe.batch_size, self.size)

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module with gradients averaged over the team."""
        # Networks of this size are one device each; the buffers (means of the data) never change.
        return (
            module if self.size == 1 else DistributedDataParallel(module, broadcast_buffers=False)
        )

    def holding_back(self, module: nn.Module) -> AbstractContextManager[None]:
        """While it lasts, gradients are summed up here and not yet averaged over the team."""
        if self.size == 1:
            return nullcontext()
        return cast(
            "AbstractContextManager[None]", cast("DistributedDataParallel", module).no_sync()
        )

    def any(self, flag: bool) -> bool:
        """Whether the flag is up in any of the processes."""
        return flag if self.size == 1 else any(self.gather(flag))

    def gather(self, value: T) -> list[T]:
        """The value of every process, by rank."""
        if self.size == 1:
            return [value]
        values: list[T] = [value] * self.size
        distributed.all_gather_object(values, value)
        return values

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values


ALONE = Team()
