"""Networks on LiteRT."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def open_network(model: bytes) -> Any:
    """An interpreter of a .tflite model, ready to be invoked, on one thread."""
    from ai_edge_litert.interpreter import Interpreter

    with _no_banner():
        network = Interpreter(model_content=model, num_threads=1)
        network.allocate_tensors()
    return network


@contextmanager
def _no_banner() -> Iterator[None]:
    """Hides what LiteRT's C++ prints on standard error, for which it has no setting.

    Errors are raised as exceptions all the same.
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
