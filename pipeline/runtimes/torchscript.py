"""TorchScript modules of the authors, used as black boxes."""

import warnings
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import UserError


def load_script(path: Path, what: str, device: torch.device | None = None) -> Any:
    """A TorchScript module, ready to be called; `what` the file should be, for the error."""
    at = device or torch.device("cpu")
    try:
        with warnings.catch_warnings():
            # PyTorch recommends another format; these files have this one.
            warnings.simplefilter("ignore", DeprecationWarning)
            module = torch.jit.load(path, map_location=at)  # type: ignore[no-untyped-call]
    except (RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{path} is not {what}, a TorchScript file ({reason})") from error
    return module.eval()
