"""Checkpoints of Lightning: what they hold comes out, and nothing of theirs ever runs."""

import argparse
import io
import pickle
import sys
import types
import zipfile
from pathlib import Path

import pytest
import torch

from model.checkpoints.lightning import (
    InertObject,
    is_torch_file,
    is_torchscript,
    read_checkpoint,
    to_plain,
)
from pipeline.errors import UserError
from tests.released_files import HYPER, write_lightning
from tests.scripts import OneArgument, write_script

TENSORS = {
    "weight": torch.arange(12.0).reshape(3, 4),
    "half": torch.linspace(0, 1, 5).half(),
    "view": torch.arange(20)[4:16].reshape(3, 4).T,
}


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch):
    """Classes of libraries that are not installed, for as long as a file is written."""

    def make(path: str, **classes: type) -> list[type]:
        module = types.ModuleType(path)
        made = []
        for name, base in classes.items():
            cls = type(name, (base,), {"__module__": path, "__qualname__": name})
            setattr(module, name, cls)
            made.append(cls)
        for parent in (path.rpartition(".")[0], path):
            monkeypatch.setitem(sys.modules, parent, module)
        return made

    yield make
    monkeypatch.undo()


def same(content: dict) -> None:
    """The tensors came back, under the network's name."""
    for name, value in TENSORS.items():
        found = content["state_dict"][f"unet.{name}"]
        assert found.dtype == value.dtype
        assert torch.equal(found, value)


def test_a_plain_checkpoint(tmp_path: Path):
    path = write_lightning(tmp_path / "a.ckpt", TENSORS)
    assert is_torch_file(path)
    assert not is_torchscript(path)
    content = read_checkpoint(path)
    same(content)
    assert content["hyper_parameters"] == HYPER
    assert content["global_step"] == 247_500


def test_a_checkpoint_from_before_torch_files_were_archives(tmp_path: Path):
    content = {"state_dict": {f"unet.{n}": v for n, v in TENSORS.items()}, "hyper_parameters": {}}
    path = tmp_path / "old.ckpt"
    torch.save(content, path, _use_new_zipfile_serialization=False)
    assert is_torch_file(path)
    same(read_checkpoint(path))
    content["hyper_parameters"] = argparse.Namespace(image_size=64)
    torch.save(content, path, _use_new_zipfile_serialization=False)
    read = read_checkpoint(path)
    same(read)
    assert to_plain(read["hyper_parameters"]) == {"image_size": 64}


def test_a_namespace(tmp_path: Path):
    hyper = argparse.Namespace(image_size=64, channel_mult=(1, 2), log_dir=Path("/logs"))
    path = write_lightning(tmp_path / "a.ckpt", TENSORS, hyper, hparams_type=argparse.Namespace)
    content = read_checkpoint(path)
    same(content)
    read = to_plain(content["hyper_parameters"])
    assert read["image_size"] == 64
    assert read["channel_mult"] == [1, 2]
    assert isinstance(content["hyper_parameters"]["log_dir"], InertObject)


def test_objects_of_libraries_that_are_not_here(tmp_path: Path, foreign):
    """Lightning's dictionary with torchvision's transforms and OmegaConf's containers in it."""
    (attributes,) = foreign("pytorch_lightning.utilities", AttributeDict=dict)
    (compose,) = foreign("torchvision.transforms", Compose=object)
    config, numbers, node = foreign(
        "omegaconf.nodes", DictConfig=object, ListConfig=object, N=object
    )

    def leaf(value: object) -> object:
        made = node()
        made.__dict__.update(_metadata=None, _val=value)
        return made

    listed, inner, transforms = numbers(), config(), compose()
    listed.__dict__.update(_metadata=None, _content=[leaf(32)])
    inner.__dict__.update(_metadata=None, _content={"attention": listed, "size": leaf(64)})
    transforms.transforms = [torch.nn.Identity()]
    hyper = attributes(unet=inner, dropout=0.2, motion_transforms=transforms)
    path = write_lightning(tmp_path / "a.ckpt", TENSORS, hyper)
    for name in ("pytorch_lightning", "torchvision", "omegaconf"):
        for loaded in [key for key in sys.modules if key.split(".")[0] == name]:
            del sys.modules[loaded]
    content = read_checkpoint(path)
    same(content)
    read = to_plain(content["hyper_parameters"])
    assert read["unet"] == {"attention": [32], "size": 64}
    assert read["dropout"] == 0.2
    assert not any(key.split(".")[0] in ("torchvision", "omegaconf") for key in sys.modules)


class Call:
    """An object whose pickle calls something."""

    def __init__(self, function: object, *given: object) -> None:
        self.made = (function, given)

    def __reduce__(self) -> tuple:
        return self.made


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old"])
@pytest.mark.parametrize("place", ["hyper_parameters", "callbacks", "optimizer_states"])
def test_nothing_in_a_file_runs(tmp_path: Path, place: str, zipped: bool):
    import os

    sprung = tmp_path / "sprung"
    traps = [
        Call(os.system, f"touch {sprung}"),
        Call(open, str(sprung), "w"),
        Call(eval, f"open({str(sprung)!r}, 'w')"),
        Call(getattr, Path(sprung), "touch"),
        Call(torch.save, torch.zeros(1), str(sprung)),
    ]
    for trap in traps:
        content = {"state_dict": {f"unet.{n}": v for n, v in TENSORS.items()}, place: [trap]}
        torch.save(content, tmp_path / "a.ckpt", _use_new_zipfile_serialization=zipped)
        read = read_checkpoint(tmp_path / "a.ckpt")
        same(read)
        assert isinstance(read[place][0], InertObject)
        assert not sprung.exists()


def test_an_object_that_is_called_later_does_not_run_either(tmp_path: Path):
    """Opcodes that torch.save would not write: a global taken, called, and its answer called."""
    sprung = tmp_path / "sprung"
    code = b"\x80\x02cposix\nsystem\nX" + len(str(sprung) + "touch ").to_bytes(4, "little")
    code += f"touch {sprung}".encode() + b"\x85R)R."
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("a/data.pkl", code)
        archive.writestr("a/version", "3\n")
    (tmp_path / "a.ckpt").write_bytes(buffer.getvalue())
    with pytest.raises(UserError, match="not a whole checkpoint of PyTorch"):
        read_checkpoint(tmp_path / "a.ckpt")
    assert not sprung.exists()
    with pytest.raises(TypeError):  # what it would have been without us: system's answer, called
        pickle.loads(code)
    assert sprung.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.99])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "old"])
def test_a_truncated_file(tmp_path: Path, share: float, zipped: bool):
    content = {"state_dict": {"unet.weight": torch.randn(300, 30)}}
    torch.save(content, tmp_path / "a.ckpt", _use_new_zipfile_serialization=zipped)
    data = (tmp_path / "a.ckpt").read_bytes()
    (tmp_path / "a.ckpt").write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match=r"a\.ckpt is not a whole checkpoint") as caught:
        read_checkpoint(tmp_path / "a.ckpt")
    assert "\n" not in str(caught.value)


def test_something_else(tmp_path: Path):
    torch.save(torch.zeros(3), tmp_path / "tensor.pt")
    with pytest.raises(UserError, match="is not a checkpoint: it holds a Tensor"):
        read_checkpoint(tmp_path / "tensor.pt")
    script = write_script(tmp_path / "script.pt", OneArgument())
    assert is_torchscript(script)
    assert is_torch_file(script)
    (tmp_path / "text").write_text("hello")
    (tmp_path / "empty").write_bytes(b"")
    for name in ("text", "empty"):
        assert not is_torch_file(tmp_path / name)
        assert not is_torchscript(tmp_path / name)
