"""Networks on LiteRT, opened without its banner."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


def open_network(model: bytes) -> Any:
    """An interpreter of a .tflite model, ready to be invoked, on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    with _no_banner():
        network = Interpreter(model_content=model, num_threads=1)
        network.allocate_tensors()
    return network


@contextmanager
def _no_banner() -> Iterator[None]:
    """Keeps LiteRT's C++ from announcing its delegate on standard error, which no setting does.

    What goes wrong inside is raised as an exception all the same.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(nowhere)
        os.close(kept)
