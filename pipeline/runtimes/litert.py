"""Networks on LiteRT."""

import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Network = Callable[[NDArray[np.floating]], dict[tuple[int, ...], NDArray[np.float32]]]


def open_network(task: Path | str, member: str) -> Network:
    """A .tflite model in MediaPipe's bundle: a function from one input to its outputs by shape."""
    from ai_edge_litert.interpreter import Interpreter

    with _no_banner(), zipfile.ZipFile(task) as bundle:
        network = Interpreter(model_content=bundle.read(member), num_threads=1)
        network.allocate_tensors()
    entry = network.get_input_details()[0]["index"]
    indices = {tuple(out["shape"]): out["index"] for out in network.get_output_details()}

    def run(value: NDArray[np.floating]) -> dict[tuple[int, ...], NDArray[np.float32]]:
        network.set_tensor(entry, value[None])
        network.invoke()
        return {shape: network.get_tensor(index) for shape, index in indices.items()}

    return run


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
