"""PyTorch Lightning checkpoints: their tensors and plain values, without running any object.

A checkpoint is a pickle, and a pickle can run anything. `torch.load(weights_only=True)` refuses
whole files for one object it does not know, and Lightning writes such objects: hyper-parameters as
a Namespace or of OmegaConf, and in the authors' case the picture transforms of torchvision. Here
every unknown class or function is replaced by an `InertObject`, so that nothing of theirs is
imported or called.
"""

import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import torch

from pipeline.errors import UserError

_OLD_PICKLE = b"\x80\x02"  # how files of torch.save began before they were zip archives


def is_torch_file(path: Path) -> bool:
    """Whether a file is one of torch.save or torch.jit.save, by its first bytes."""
    with path.open("rb") as file:
        first = file.read(4)
    return first[:2] == _OLD_PICKLE or first == b"PK\x03\x04"


def is_torchscript(path: Path) -> bool:
    """Whether a file is one of torch.jit.save."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What a checkpoint of torch.save holds; tensors stay on the disk until they are used.

    Objects in it that are neither tensors nor plain values are `InertObject`.
    """
    reader = SimpleNamespace(Unpickler=_InertUnpickler, load=_load, __name__="inert")
    mapped = zipfile.is_zipfile(path)
    try:
        content = torch.load(
            path, map_location="cpu", weights_only=False, mmap=mapped, pickle_module=reader
        )
    except Exception as error:  # damage comes as half a dozen kinds
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{path} is not a whole checkpoint of PyTorch ({reason})") from error
    if not isinstance(content, dict):
        raise UserError(f"{path} is not a checkpoint: it holds a {type(content).__name__}")
    return content


class InertObject(dict[Any, Any]):
    """Stands for an object of a class that is not imported; holds its items and its state."""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> Self:
        """An empty one, whatever the class would have been given."""
        return super().__new__(cls)

    def __init__(self, *_args: Any, **_kwargs: Any) -> None:
        super().__init__()

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)

    def __setstate__(self, state: Any) -> None:
        for part in state if isinstance(state, tuple) else (state,):
            if isinstance(part, dict):
                self.update(part)

    def append(self, item: Any) -> None:
        """Keeps an item of what would have been a list."""
        self[len(self)] = item

    def extend(self, items: Any) -> None:
        """Keeps items of what would have been a list."""
        for item in items:
            self.append(item)


def to_plain(value: Any) -> Any:
    """A value without inert objects: Namespace and OmegaConf become the dictionaries they hold."""
    if isinstance(value, InertObject):
        for inside in ("_content", "_val"):  # OmegaConf's containers and their leaves
            if inside in value:
                return to_plain(value[inside])
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    return [to_plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def _tensor(storage: Any, offset: int, size: Any, stride: Any, *_rest: Any) -> torch.Tensor:
    """A tensor over a storage of the file; hooks and the like are left behind."""
    untyped = storage._untyped_storage  # noqa: SLF001
    return torch.empty(0, dtype=storage.dtype).set_(untyped, offset, size, stride)


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_parameter"): lambda data, *_rest: data,
    ("torch", "Size"): torch.Size,
    ("torch", "device"): torch.device,
}


class _InertUnpickler(pickle.Unpickler):
    """Builds tensors and containers; every other class or function becomes an `InertObject`."""

    def find_class(self, module: str, name: str) -> Any:
        """Looks a name up in our table and imports nothing."""
        known = _KNOWN.get((module, name))
        if known is None and module == "torch" and isinstance(getattr(torch, name, 0), torch.dtype):
            known = getattr(torch, name)
        return known or type(name, (InertObject,), {"__module__": module})


def _load(file: Any, **kwargs: Any) -> Any:
    """pickle.load, for the heads of files older than zip."""
    return _InertUnpickler(file, **kwargs).load()
