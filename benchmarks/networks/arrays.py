"""Weights that are pickles of NumPy arrays, as packages for JAX carry them."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from torch import nn

from pipeline.errors import UserError

Arrays = dict[str, Any]
Network = TypeVar("Network", bound=nn.Module)


class _ArrayUnpickler(pickle.Unpickler):
    """Reads pickles of NumPy arrays; whatever else a pickle asks for is refused."""

    _KNOWN = frozenset({"_reconstruct", "ndarray", "dtype"})

    def find_class(self, module: str, name: str) -> Any:
        """The three names that arrays need, wherever this NumPy keeps them."""
        if module.partition(".")[0] != "numpy" or name not in self._KNOWN:
            raise pickle.UnpicklingError(f"a file of weights asks for {module}.{name}")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_arrays(path: Path) -> Arrays:
    """The nested dict of arrays in a pickle, nothing of which is run."""
    with path.open("rb") as file:
        try:
            arrays = _ArrayUnpickler(file).load()
        except (pickle.UnpicklingError, EOFError, AttributeError, ValueError) as error:
            raise UserError(f"{path} is no file of weights ({error})") from error
    if not isinstance(arrays, dict):
        raise UserError(f"{path} is no file of weights")
    return arrays


def load_network(kind: Callable[[Arrays], Network], name: str, path: Path) -> Network:
    """A network with the arrays in `path`, ready to infer."""
    try:
        network = kind(read_arrays(path))
    except KeyError as error:
        raise UserError(f"{path} holds no {name} weights: it lacks {error}") from error
    return network.eval().requires_grad_(requires_grad=False)
