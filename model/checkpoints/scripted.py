"""The authors' TorchScript demo model as the U-Net of a model: called, never looked into."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pipeline.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path

    from model.config.architecture import UNetConfig

_CONDITIONS = ("x", "t", "identity", "motion frames", "speech embeddings")


class ScriptedUNet(nn.Module):
    """A TorchScript module with the interface of `model.network.unet.UNet`.

    It computes in float32 whatever it is asked for: what its inside does with another type is not
    ours to say. A TorchScript file is a program, though one that knows nothing but tensors; take
    it from the authors and from nobody else.

    Args:
        path: of the file, for messages.
        script: the module.
        config: what it takes.

    Raises:
        UserError: its forward does not take five things.
    """

    def __init__(self, path: Path, script: Any, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self._path, self._script = path, script
        taken = script.forward.schema.arguments[1:]  # the first is itself
        wanted = sum(not argument.has_default_value() for argument in taken)
        if not wanted <= len(_CONDITIONS) <= len(taken):
            raise UserError(
                f"{path} is not the authors' demo model: its forward takes {wanted} arguments "
                f"or more, not {', '.join(_CONDITIONS)}"
            )

    def forward(
        self, x: Tensor, t: Tensor, identity: Tensor, motion: Tensor, speech: Tensor
    ) -> Tensor:
        """One call, see `model.network.unet.UNet.forward`.

        Raises:
            UserError: what comes out is not (B, 6, S, S).
        """
        with torch.autocast(x.device.type, enabled=False):
            given = (part.float() for part in (identity, motion, speech))
            output = self._script(x.float(), t, *given)
        wanted = (len(x), 6, *x.shape[2:])
        if not isinstance(output, Tensor) or output.shape != wanted:
            told = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise UserError(
                f"{self._path} is not the authors' demo model: it answers with {told}, not {wanted}"
            )
        return output
