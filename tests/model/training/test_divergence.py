"""Training that diverges ends in one sentence, and every checkpoint is one to go on from."""

from dataclasses import replace

import numpy as np
import pytest

from model.training.loop import train
from model.training.run_folder import checkpoint_path
from pipeline.errors import UserError
from tests.model.runs import options


@pytest.fixture
def wild(recipe):
    """A learning rate whose losses are finite for a few steps, and then not."""
    return recipe(steps=12, learning_rate=100.0)


def diverged(given) -> str:
    with pytest.raises(UserError, match=r"diverged.*after step \d+ of 12") as ended:
        train(replace(given, precision="bf16"), lambda _: None)
    message = str(ended.value)
    assert "--set train.learning_rate (now 100)" in message
    assert "clip" not in message.replace("clip_norm", "")  # no clip of the data is blamed
    return message


@pytest.mark.slow
def test_before_the_first_checkpoint(drawn_set, tmp_path, wild):
    given = options(drawn_set, tmp_path / "run", wild)
    assert "begin again" in diverged(given)
    assert not list(given.out.glob("checkpoint*"))
    diverged(given)  # the folder is free for another try


@pytest.mark.slow
def test_the_last_good_checkpoint_is_named_and_can_be_resumed(drawn_set, tmp_path, wild):
    given = options(drawn_set, tmp_path / "run", wild, save_every=1, keep=0)
    message = diverged(given)
    saved = sorted(given.out.glob("checkpoint-*.safetensors"))
    good = [path for path in saved if f"last good checkpoint, {path}," in message]
    bad = [path for path in saved if f"move {path} away" in message]
    # The checkpoint whose loss is not finite is not the one to go on from.
    assert (good, bad) == (saved[-2:-1], saved[-1:])
    bad[0].unlink()
    step = int(good[0].stem.rpartition("-")[2])
    slower = replace(wild, train=replace(wild.train, learning_rate=0.0, steps=step + 1))
    again = train(replace(given, preset=slower, resume=True), lambda _: None)
    assert again == checkpoint_path(given.out, step + 1)


def test_weights_that_are_not_finite_are_not_saved(drawn_set, tmp_path, recipe):
    given = options(drawn_set, tmp_path / "run", recipe(steps=1, learning_rate=1e39))
    with pytest.raises(UserError, match="diverged: a weight is not finite after step 1 of 1"):
        train(given, lambda _: None)
    assert not list(given.out.glob("checkpoint*"))


def test_clips_whose_features_are_not_finite_are_named(tmp_path, drawn_sample, write_set, recipe):
    bad = drawn_sample("rotten", 4)
    bad.speech[:] = np.nan
    data = write_set(tmp_path / "set", [("train", [bad, drawn_sample("good", 4)])])
    with pytest.raises(UserError, match=f"{data}: .* rotten") as ended:
        train(options(data, tmp_path / "run", recipe(steps=20)), lambda _: None)
    assert "good" not in str(ended.value)
