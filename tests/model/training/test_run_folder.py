"""What a run begins with: an empty folder, its own last checkpoint, or the weights of another."""

from dataclasses import replace

import pytest
import torch

from model.config.recipe import MotionCorruption
from model.training.loop import train
from model.training.run_folder import OPTIONS_FILE, checkpoint_path
from pipeline.dataset.shards import DATASET_FILE
from pipeline.errors import UserError
from pipeline.files import read_json, write_json
from tests.model.runs import options, weights


def test_an_occupied_folder_is_not_written_over(drawn_set, tmp_path, recipe):
    run = tmp_path / "run"
    train(options(drawn_set, run, recipe(steps=1)), lambda _: None)
    before = {entry: entry.read_bytes() for entry in run.rglob("*") if entry.is_file()}
    with pytest.raises(UserError, match="holds a run already; add --resume"):
        train(options(drawn_set, run, recipe(steps=2)), lambda _: None)
    assert {entry: entry.read_bytes() for entry in run.rglob("*") if entry.is_file()} == before


def test_nothing_to_resume(drawn_set, tmp_path, recipe):
    with pytest.raises(UserError, match="nothing to resume: no checkpoint in"):
        train(options(drawn_set, tmp_path / "run", recipe(steps=1), resume=True), lambda _: None)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_another_network_is_not_resumed_but_another_recipe_is(drawn_set, tmp_path, recipe, small):
    run = tmp_path / "run"
    train(options(drawn_set, run, recipe(steps=1)), lambda _: None)
    for changed in (
        replace(small, name="wide", unet=replace(small.unet, base_channels=8)),
        replace(small, name="epsilon", diffusion=replace(small.diffusion, prediction="epsilon")),
        replace(small, name="deaf", speech_hidden=4),
    ):
        with pytest.raises(UserError, match=r"was trained with preset 'small'.*--preset small"):
            train(options(drawn_set, run, changed, resume=True), lambda _: None)
    faster = recipe(steps=2, learning_rate=0.5, batch_size=2)
    path = train(options(drawn_set, run, faster, resume=True), lambda _: None)
    assert path == checkpoint_path(run, 2)


@pytest.mark.slow
def test_a_resumed_run_says_what_of_its_recipe_is_other_than_before(drawn_set, tmp_path, recipe):
    run, lines = tmp_path / "run", []
    train(options(drawn_set, run, recipe(steps=1)), lambda _: None)
    train(options(drawn_set, run, recipe(steps=1), resume=True), lines.append)
    assert not [line for line in lines if line.startswith("note")]
    changed = recipe(steps=2, learning_rate=0.5, motion=MotionCorruption(noise=0.3))
    train(options(drawn_set, run, changed, resume=True), lines.append)
    assert (
        "note: another recipe than so far: train.steps 1 is now 2; train.learning_rate 0.002 is "
        "now 0.5; train.motion.noise 0.0 is now 0.3"
    ) in lines


# --- the data of a resumed run --------------------------------------------------------------------


@pytest.fixture
def other_set(tmp_path, drawn_sample, write_set):
    """Other clips of the same format."""
    return write_set(tmp_path / "other", [("train", [drawn_sample("else", 7, first=40)])])


@pytest.mark.slow
def test_a_run_does_not_go_on_with_other_clips_unawares(drawn_set, other_set, tmp_path, recipe):
    run, lines = tmp_path / "run", []
    train(options(drawn_set, run, recipe(steps=1)), lambda _: None)
    before = {entry: entry.read_bytes() for entry in run.rglob("*") if entry.is_file()}
    wrong = options(other_set, run, recipe(steps=2), resume=True)
    said = rf"{run} was trained on {drawn_set}, and {other_set} holds other .*--other-data to go on"
    with pytest.raises(UserError, match=said):
        train(wrong, lambda _: None)
    assert {entry: entry.read_bytes() for entry in run.rglob("*") if entry.is_file()} == before
    meant = replace(wrong, other_data=True)
    assert train(meant, lines.append) == checkpoint_path(run, 2)
    assert f"note: trained on {drawn_set} so far, from here on {other_set}" in lines
    # From here on these are its clips.
    train(replace(wrong, preset=recipe(steps=3)), lambda _: None)
    with pytest.raises(UserError, match=f"was trained on {other_set}"):
        train(options(drawn_set, run, recipe(steps=4), resume=True), lambda _: None)


@pytest.mark.slow
def test_the_same_clips_may_lie_elsewhere(drawn_set, tmp_path, recipe):
    run, lines = tmp_path / "run", []
    train(options(drawn_set, run, recipe(steps=1)), lambda _: None)
    moved = drawn_set.rename(tmp_path / "moved")
    # What is told of a data set, and other splits, are nothing that a model is trained on.
    described = read_json(moved / DATASET_FILE)
    described |= {
        "licence": "CC0",
        "shards": [s for s in described["shards"] if s["split"] == "train"],
    }
    write_json(moved / DATASET_FILE, described)
    again = options(moved, run, recipe(steps=2), resume=True)
    assert train(again, lines.append) == checkpoint_path(run, 2)
    assert not [line for line in lines if "trained on" in line]


def test_clips_that_are_others_at_the_same_place(drawn_set, other_set, tmp_path, recipe):
    run = tmp_path / "run"
    train(options(drawn_set, run, recipe(steps=1)), lambda _: None)
    drawn_set.rename(tmp_path / "first")
    other_set.rename(drawn_set)
    with pytest.raises(UserError, match=f"{drawn_set} holds other clips than when {run} was train"):
        train(options(drawn_set, run, recipe(steps=2), resume=True), lambda _: None)


@pytest.mark.slow
def test_a_run_that_does_not_say_what_it_was_trained_on_goes_on(
    drawn_set, other_set, tmp_path, recipe
):
    run = tmp_path / "run"
    train(options(drawn_set, run, recipe(steps=1)), lambda _: None)
    kept = read_json(run / OPTIONS_FILE)
    del kept["data_sha256"]
    write_json(run / OPTIONS_FILE, kept)
    train(options(other_set, run, recipe(steps=2), resume=True), lambda _: None)
    (run / OPTIONS_FILE).unlink()
    train(options(drawn_set, run, recipe(steps=3), resume=True), lambda _: None)


def test_other_data_is_said_of_runs_that_go_on(drawn_set, tmp_path, recipe):
    with pytest.raises(UserError, match="--other-data is for a run that goes on; add --resume"):
        train(options(drawn_set, tmp_path / "run", recipe(), other_data=True), lambda _: None)
    assert not (tmp_path / "run").exists()


# --- what does not fit ----------------------------------------------------------------------------


def test_out_is_a_file(drawn_set, tmp_path, recipe):
    (tmp_path / "run").write_text("a file")
    with pytest.raises(UserError, match="run is a file; name a folder with --out"):
        train(options(drawn_set, tmp_path / "run", recipe(steps=1)), lambda _: None)


def test_wrong_data_leaves_nothing_behind(tmp_path, drawn_sample, write_set, recipe):
    data = write_set(tmp_path / "set", [("test", [drawn_sample("a", 4)])])
    with pytest.raises(UserError):
        train(options(data, tmp_path / "run", recipe(steps=1)), lambda _: None)
    assert not (tmp_path / "run").exists()


def test_asking_for_fewer_steps_than_are_done(drawn_set, tmp_path, recipe):
    run = tmp_path / "run"
    path = train(options(drawn_set, run, recipe(steps=3)), lambda _: None)
    with pytest.raises(UserError, match="at step 3 already, past the 2 asked for"):
        train(options(drawn_set, run, recipe(steps=2), resume=True), lambda _: None)
    assert train(options(drawn_set, run, recipe(steps=3), resume=True), lambda _: None) == path


@pytest.mark.slow
def test_a_run_begins_with_the_average_of_another(drawn_set, tmp_path, recipe):
    first = train(options(drawn_set, tmp_path / "first", recipe(steps=4)), lambda _: None)
    lines: list[str] = []
    # A rate this small changes nothing that could be seen.
    begun = options(
        drawn_set, tmp_path / "second", recipe(steps=1, learning_rate=1e-12), init_from=first
    )
    second = train(begun, lines.append)
    theirs, ours = weights(first), weights(second)
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value, atol=1e-6, rtol=0)
    assert any(line.startswith(f"network: from {first}, 4 steps old") for line in lines)
    assert "speech encoder: from the checkpoint" in lines
    with pytest.raises(UserError, match="leave out --init-from"):
        train(replace(begun, resume=True), lambda _: None)


def test_a_run_does_not_begin_with_another_network(drawn_set, tmp_path, recipe, small):
    first = train(options(drawn_set, tmp_path / "first", recipe(steps=1)), lambda _: None)
    wide = replace(recipe(steps=1), unet=replace(small.unet, base_channels=8))
    with pytest.raises(UserError, match=r"base_channels 16, not 8; choose another --preset"):
        train(options(drawn_set, tmp_path / "second", wide, init_from=first), lambda _: None)
    assert not (tmp_path / "second").exists()
