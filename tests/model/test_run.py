"""What a run begins with: an empty folder, its own last checkpoint, or the weights of another."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from model.run import checkpoint_path
from model.train import train
from pipeline.errors import UserError
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
