"""What a number is called, which way is better, and how it is measured."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """A number of the benchmark.

    Attributes:
        name: key in scores.json.
        label: heading in tables.
        direction: `higher` or `lower` is better, or `closer` to the real clips' number is.
        protocol: how it is measured, printed wherever the number is.
        unit: of the number; empty for a pure one.
        variant: what tells it apart from the same metric under another protocol: `16f` makes
            `fvd` `fvd_16f_n820`.
        needs: without what a clip has no number; the reason is in the scores.
    """

    name: str
    label: str
    direction: Literal["higher", "lower", "closer"]
    protocol: str
    unit: str = ""
    variant: str = ""
    needs: str = "two videos of one shape"

    def full_name(self, n: int) -> str:
        """Name, variant and number of clips, as in `fvd_16f_n820`."""
        return "_".join([self.name, *([self.variant] if self.variant else []), f"n{n}"])
