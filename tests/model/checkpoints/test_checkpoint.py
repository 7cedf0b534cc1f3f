"""Checkpoints: whole or absent, everything comes back, and nothing else is taken for one."""

import copy
import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from model.checkpoints import checkpoint
from model.checkpoints.checkpoint import (
    CheckpointInfo,
    TrainingState,
    latest,
    load_talking_head,
    read_info,
    resolve,
    restore,
    rotate,
    save,
)
from model.config.presets import Preset
from model.network.talking_head import Conditions, SpeechFormat, TalkingHead
from pipeline.errors import UserError
from pipeline.weights import FILES

CPU = torch.device("cpu")


def fresh(preset: Preset, speech: SpeechFormat, seed: int) -> TrainingState:
    torch.manual_seed(seed)
    model = TalkingHead(preset, speech)
    average = copy.deepcopy(model).requires_grad_(requires_grad=False)
    return TrainingState(model, average, torch.optim.Adam(model.parameters(), 1e-3, fused=True))


def step(state: TrainingState) -> None:
    """A step of Adam on random inputs, and of the average."""
    conditions = Conditions(
        torch.randn(2, 3, 32, 32), torch.randn(2, 6, 32, 32), torch.randn(2, 5, 234)
    )
    output = state.model(torch.randn(2, 3, 32, 32), torch.tensor([3, 700]), conditions)
    state.optimizer.zero_grad(set_to_none=True)
    (output - 1).square().mean().backward()
    state.optimizer.step()
    state.step += 1
    with torch.no_grad():
        for ours, theirs in zip(state.average.parameters(), state.model.parameters(), strict=True):
            ours.lerp_(theirs, 0.3)


def differences(one: torch.nn.Module, other: torch.nn.Module) -> list[str]:
    theirs = other.state_dict()
    return [name for name, v in one.state_dict().items() if not torch.equal(v, theirs[name])]


@pytest.fixture
def info(small: Preset, speech_format: SpeechFormat) -> CheckpointInfo:
    return CheckpointInfo(small, speech_format, step=3, seed=11)


@pytest.fixture
def trained(small: Preset, speech_format: SpeechFormat) -> TrainingState:
    state = fresh(small, speech_format, seed=0)
    for _ in range(3):
        step(state)
    return state


@pytest.fixture
def saved(tmp_path: Path, trained: TrainingState, info: CheckpointInfo) -> Path:
    path = tmp_path / "run" / "checkpoint-0000003.safetensors"
    save(path, trained, info)
    return path


# --- there and back -------------------------------------------------------------------------------


def test_everything_comes_back(saved: Path, trained: TrainingState, small, speech_format):
    state = fresh(small, speech_format, seed=1)
    assert differences(state.model, trained.model)
    restore(saved, state)
    assert state.step == 3
    assert differences(state.model, trained.model) == []
    assert differences(state.average, trained.average) == []
    assert differences(state.model, state.average) != []
    ours, theirs = state.optimizer.state_dict(), trained.optimizer.state_dict()
    assert ours["state"].keys() == theirs["state"].keys()
    assert len(ours["state"]) > 20
    for index, moments in theirs["state"].items():
        assert moments.keys() == ours["state"][index].keys()
        assert all(torch.equal(moments[name], ours["state"][index][name]) for name in moments)


@pytest.mark.slow
def test_a_resumed_run_goes_where_the_other_went(saved: Path, trained, small, speech_format):
    """Weights, moments and average: three more steps end in the same bits."""
    torch.manual_seed(5)
    for _ in range(3):
        step(trained)
    state = fresh(small, speech_format, seed=1)
    restore(saved, state)
    torch.manual_seed(5)
    for _ in range(3):
        step(state)
    assert state.step == trained.step == 6
    assert differences(state.model, trained.model) == []
    assert differences(state.average, trained.average) == []


def test_sampling_takes_the_average(saved: Path, trained: TrainingState, info: CheckpointInfo):
    model, read = load_talking_head(saved, CPU)
    assert read == info
    assert differences(model, trained.average) == []
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_the_json_tells_people_what_it_is(saved: Path, info: CheckpointInfo):
    described = json.loads(saved.with_suffix(".json").read_text())
    assert described["step"] == 3
    assert described["preset"]["name"] == "small"
    assert described["preset"]["unet"]["base_channels"] == 16
    assert "synthetic" in described["synthetic_media"]
    assert read_info(saved) == info


# --- whole or absent ------------------------------------------------------------------------------


def test_an_interrupted_save_leaves_the_last_checkpoint_as_it_was(
    saved: Path, trained: TrainingState, info: CheckpointInfo, monkeypatch
):
    before = {path.name: path.read_bytes() for path in saved.parent.iterdir()}

    def full_disk(tensors: dict, path: Path) -> None:
        path.write_bytes(b"half a fi")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint, "save_file", full_disk)
    for path in (saved, saved.with_name("checkpoint-0000004.safetensors")):
        with pytest.raises(OSError, match="No space"):
            save(path, trained, replace(info, step=4))
    assert {path.name: path.read_bytes() for path in saved.parent.iterdir()} == before
    assert latest(saved.parent) == saved


def test_without_its_json_a_checkpoint_does_not_count(saved: Path, trained, info, monkeypatch):
    def cut_off(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "write_json", cut_off)
    with pytest.raises(KeyboardInterrupt):
        save(saved.with_name("checkpoint-0000009.safetensors"), trained, info)
    assert saved.with_name("checkpoint-0000009.safetensors").exists()
    assert latest(saved.parent) == saved == resolve(saved.parent)


def test_the_last_of_several(tmp_path: Path):
    assert latest(tmp_path) is None
    for number in (20, 3, 100_000, 999):
        for suffix in (".safetensors", ".json"):
            (tmp_path / f"checkpoint-{number:07d}{suffix}").touch()
    (tmp_path / "checkpoint-0999999.json").touch()  # its tensors were moved away
    assert latest(tmp_path) == tmp_path / "checkpoint-0100000.safetensors"


def test_rotation_keeps_the_last_and_touches_nothing_else(tmp_path: Path):
    for number in (20, 3, 100_000, 999):
        for suffix in (".safetensors", ".json"):
            (tmp_path / f"checkpoint-{number:07d}{suffix}").touch()
    mine = {"notes.json", "report.json", "checkpoint-best.safetensors"}
    for name in mine:
        (tmp_path / name).touch()
    rotate(tmp_path, 0)
    assert len(list(tmp_path.iterdir())) == 11
    rotate(tmp_path, 2)
    left = {path.name for path in tmp_path.iterdir()} - mine
    assert left == {
        f"checkpoint-{number:07d}{suffix}"
        for number in (999, 100_000)
        for suffix in (".safetensors", ".json")
    }
    rotate(tmp_path, 5)
    assert len(list(tmp_path.iterdir())) == 7


# --- what is no checkpoint ------------------------------------------------------------------------


def test_paths_that_lead_nowhere(tmp_path: Path, saved: Path):
    with pytest.raises(UserError, match=r"no checkpoint in .*; train one with"):
        resolve(tmp_path)
    with pytest.raises(UserError, match=r"no such checkpoint: .*none.safetensors"):
        resolve(tmp_path / "none.safetensors")
    assert resolve(saved) == saved
    saved.with_suffix(".json").unlink()
    with pytest.raises(UserError, match=r"no checkpoint-0000003.json beside it; copy both"):
        resolve(saved)


@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_truncated_file(saved: Path, small, speech_format, share: float):
    data = saved.read_bytes()
    saved.write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match="is not a whole safetensors file"):
        load_talking_head(saved, CPU)
    with pytest.raises(UserError, match="is not a whole safetensors file"):
        restore(saved, fresh(small, speech_format, seed=0))


def test_a_published_checkpoint_goes_by_its_name(saved: Path, tmp_path: Path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    weights = tmp_path / "weights"
    weights.mkdir()
    monkeypatch.setenv("DH_WEIGHTS", str(weights))
    with pytest.raises(UserError, match=r"base.json .* not published yet.*DH_WEIGHTS"):
        resolve(Path("base"))
    for suffix in (".json", ".safetensors"):
        shutil.copyfile(saved.with_suffix(suffix), weights / f"base{suffix}")
    assert resolve(Path("base")) == resolve(Path("base"), weights) == weights / "base.safetensors"
    assert read_info(resolve(Path("base"))).step == read_info(saved).step
    # What lies there under that name goes first, and a release's bytes are held to its SHA-256.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "base").symlink_to(saved.parent)
    assert resolve(Path("base")) == Path("base") / saved.name
    (tmp_path / "base").unlink()
    name = "base.safetensors"
    monkeypatch.setitem(FILES, name, replace(FILES[name], sha256="0" * 64))
    with pytest.raises(UserError, match=r"base.safetensors is not the file"):
        resolve(Path("base"))


def test_a_pickle_is_not_opened(saved: Path, tmp_path: Path):
    class Trap:
        def __reduce__(self) -> tuple:
            return (open, (str(tmp_path / "sprung"), "w"))

    torch.save({"model": Trap()}, saved)
    with pytest.raises(UserError, match="is not a whole safetensors file"):
        load_talking_head(saved, CPU)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", '"x"', '{"format_version": 1}', "\xff\xfe", '{"format_version": 99}'],
)
def test_a_json_that_describes_something_else(saved: Path, text: str):
    saved.with_suffix(".json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match="checkpoint"):
        load_talking_head(saved, CPU)


def test_a_json_with_an_option_that_we_do_not_have(saved: Path):
    described = saved.with_suffix(".json")
    data = json.loads(described.read_text())
    data["preset"]["unet"]["experts"] = 8
    described.write_text(json.dumps(data))
    with pytest.raises(UserError, match=r"does not describe a checkpoint of ours.*experts"):
        load_talking_head(saved, CPU)


@pytest.mark.slow
def test_tensors_of_another_preset(saved: Path, small, speech_format, tmp_path: Path):
    wide = replace(small, unet=replace(small.unet, base_channels=8))
    described = saved.with_suffix(".json")
    other = tmp_path / "other.safetensors"
    save(other, fresh(wide, speech_format, 0), CheckpointInfo(wide, speech_format, 1, 0))
    shutil.copy(other.with_suffix(".json"), described)
    with pytest.raises(UserError, match="does not fit its preset: size mismatch") as caught:
        load_talking_head(saved, CPU)
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(UserError, match="does not fit its preset"):
        restore(other, fresh(small, speech_format, 0))


def test_tensors_of_nothing_of_ours(saved: Path, small, speech_format):
    save_file({"weight": torch.zeros(3)}, saved)
    with pytest.raises(UserError, match="does not fit its preset"):
        load_talking_head(saved, CPU)


def test_an_averaged_model_alone_samples_but_does_not_resume(saved: Path, small, speech_format):
    """What one would publish: a third of the size."""
    whole = load_file(saved)
    save_file({name: v for name, v in whole.items() if name.startswith("average.")}, saved)
    load_talking_head(saved, CPU)
    with pytest.raises(UserError, match="does not fit its preset"):
        restore(saved, fresh(small, speech_format, seed=0))
