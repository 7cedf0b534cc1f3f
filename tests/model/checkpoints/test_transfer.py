"""Weights carried over: to a file of their own, and to a run's beginning."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from model.checkpoints.checkpoint import (
    CheckpointInfo,
    TrainingState,
    load_talking_head,
    read_info,
    save,
)
from model.checkpoints.transfer import convert, init_from
from model.config.presets import Preset
from model.network.talking_head import Conditions, SpeechFormat, TalkingHead
from pipeline.errors import UserError
from tests.released_files import HYPER, write_lightning
from tests.released_network import Shape, inputs, weights
from tests.scripts import Demo, write_script

CPU = torch.device("cpu")
TINY = Shape(base=32, multiples=(1, 2), attention=())
SIZED = HYPER | {"image_size": 32}


@pytest.fixture
def authors(tmp_path: Path) -> Path:
    """A checkpoint as the authors' code writes it."""
    return write_lightning(tmp_path / "authors.ckpt", weights(TINY), SIZED)


@pytest.fixture
def run(tmp_path: Path, small: Preset, speech_format: SpeechFormat) -> Path:
    """A run's folder, whose average differs from its model."""
    torch.manual_seed(0)
    model, average = (TalkingHead(small, speech_format) for _ in range(2))
    state = TrainingState(model, average, torch.optim.Adam(model.parameters()), 4)
    folder = tmp_path / "run"
    save(
        folder / "checkpoint-0000004.safetensors", state, CheckpointInfo(small, speech_format, 4, 0)
    )
    return folder


def released_format(width: int = 32, encoder: str = "") -> SpeechFormat:
    return SpeechFormat(1, width, [0.0] * width, [1.0] * width, "released", encoder)


def differences(one: torch.nn.Module, other: torch.nn.Module) -> list[str]:
    theirs = other.state_dict()
    return [name for name, v in one.state_dict().items() if not torch.equal(v, theirs[name])]


# --- a file of its own ----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_authors_checkpoint_becomes_one_of_ours(tmp_path: Path, authors: Path):
    before = authors.read_bytes()
    info = convert(authors, tmp_path / "new" / "ours.safetensors")
    assert authors.read_bytes() == before
    model, read = load_talking_head(tmp_path / "new" / "ours.safetensors", CPU)
    assert read == info == read_info(tmp_path / "new" / "ours.safetensors")
    assert (read.preset.name, read.step, read.speech.name) == ("released", 247_500, "released")
    direct, _ = load_talking_head(authors, CPU)
    given = inputs(TINY, 32)
    calls = [one(*given[:2], Conditions(*given[2:])) for one in (model, direct)]
    assert torch.equal(*calls)
    assert calls[0].abs().max() > 0.1
    again = tmp_path / "again.safetensors"
    convert(authors, again)
    assert again.read_bytes() == (tmp_path / "new" / "ours.safetensors").read_bytes()


def test_the_demo_model_becomes_one_of_ours_by_its_tensors(tmp_path: Path):
    demo = write_script(tmp_path / "demo.pt", Demo(weights(TINY)))
    convert(demo, tmp_path / "ours.safetensors")
    found = load_file(tmp_path / "ours.safetensors")
    for name, value in weights(TINY).items():
        assert torch.equal(found[f"average.unet.{name}"], value)


def test_a_run_is_published_without_what_only_its_training_needs(tmp_path: Path, run: Path):
    info = convert(run, tmp_path / "ours.safetensors")
    assert info.step == 4
    model, _ = load_talking_head(tmp_path / "ours.safetensors", CPU)
    assert (
        differences(model, load_talking_head(run / "checkpoint-0000004.safetensors", CPU)[0]) == []
    )
    assert all(name.startswith("average.") for name in load_file(tmp_path / "ours.safetensors"))


@pytest.mark.parametrize("taken", ["ours.safetensors", "ours.json"])
def test_nothing_is_written_over(tmp_path: Path, authors: Path, taken: str):
    (tmp_path / taken).write_text("mine")
    with pytest.raises(UserError, match=rf"{taken} exists already"):
        convert(authors, tmp_path / "ours.safetensors")
    assert (tmp_path / taken).read_text() == "mine"


# --- a run's beginning ----------------------------------------------------------------------------


def fresh(preset: Preset, speech: SpeechFormat) -> TalkingHead:
    torch.manual_seed(9)
    return TalkingHead(preset, speech)


def test_from_the_authors(authors: Path, speech_format: SpeechFormat):
    preset = load_talking_head(authors, CPU)[1].preset
    model = fresh(preset, speech_format)
    before = copy.deepcopy(model)
    lines = init_from(authors, model)
    assert all(torch.equal(model.unet.state_dict()[n], v) for n, v in weights(TINY).items())
    for part in ("speech_encoder", "lip_reader"):
        assert differences(getattr(model, part), getattr(before, part)) == []
    why = "begins fresh, since the checkpoint takes released and the data set holds mfcc"
    assert lines == [
        f"network: from {authors}, 247500 steps old, which predicts epsilon",
        f"speech encoder: {why}",
        f"lip reader: {why}",
    ]
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_from_the_authors_with_their_speech(authors: Path):
    preset = load_talking_head(authors, CPU)[1].preset
    model = fresh(preset, released_format(encoder="ab"))
    lines = init_from(authors, model)
    assert lines[1:] == ["lip reader: from the checkpoint"]  # the embeddings need no encoder


@pytest.mark.slow
def test_from_the_demo_model(tmp_path: Path, authors: Path):
    demo = write_script(tmp_path / "demo.pt", Demo(weights(TINY)))
    model = fresh(load_talking_head(authors, CPU)[1].preset, released_format())
    init_from(demo, model)
    assert all(torch.equal(model.unet.state_dict()[n], v) for n, v in weights(TINY).items())


@pytest.mark.parametrize("name", ["", "checkpoint-0000004.safetensors"])
def test_from_a_run_of_ours(run: Path, small: Preset, speech_format: SpeechFormat, name: str):
    speech = replace(speech_format, mean=[5.0] * 13)
    model = fresh(small, speech)
    lines = init_from(run / name, model)
    # The averaged weights, with the mean and deviation that they were trained with.
    assert (
        differences(model, load_talking_head(run / "checkpoint-0000004.safetensors", CPU)[0]) == []
    )
    assert lines[1:] == ["speech encoder: from the checkpoint", "lip reader: from the checkpoint"]


def test_a_speech_encoder_of_another_shape_begins_fresh(
    run: Path, small: Preset, speech_format: SpeechFormat
):
    model = fresh(replace(small, speech_hidden=5), speech_format)
    before = copy.deepcopy(model.speech_encoder)
    lines = init_from(run, model)
    assert lines[1] == (
        "speech encoder: begins fresh, since that of the checkpoint is of another shape"
    )
    assert differences(model.speech_encoder, before) == []


def test_another_size_of_picture_is_the_same_network(
    run: Path, small: Preset, speech_format: SpeechFormat
):
    model = fresh(replace(small, unet=replace(small.unet, image_size=64)), speech_format)
    assert "network: from" in init_from(run, model)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"motion_channels": 1}, "motion_channels 3, not 1"),
        ({"time_exponent": "standard"}, "time_exponent released, not standard"),
        ({"heads": 2}, "heads 0, not 2"),
        ({"base_channels": 8}, "base_channels 16, not 8"),
        ({"attention_resolutions": (16,)}, "input_blocks.3.1.norm.weight is missing"),
    ],
)
def test_another_network_is_refused(
    run: Path, small: Preset, speech_format: SpeechFormat, change: dict, message: str
):
    model = fresh(replace(small, unet=replace(small.unet, **change)), speech_format)
    before = copy.deepcopy(model)
    with pytest.raises(UserError, match="choose another --preset") as caught:
        init_from(run, model)
    assert "\n" not in str(caught.value)
    assert message in str(caught.value)
    assert differences(model, before) == []


def test_no_checkpoint(tmp_path: Path, small: Preset, speech_format: SpeechFormat):
    with pytest.raises(UserError, match="no such checkpoint"):
        init_from(tmp_path / "none.ckpt", fresh(small, speech_format))
