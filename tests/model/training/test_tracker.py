"""Trackers: values and images arrive, a resumed run goes on, a missing package is a sentence."""

from pathlib import Path
from typing import get_args

import pytest
import torch

from model.config.choices import TrackerName
from model.training import tracker
from model.training.loop import train
from model.training.tracker import check_tracker, open_tracker
from pipeline.errors import UserError
from tests.model.runs import options


def track_two_sittings(name: str, run: Path) -> None:
    """Steps 1 to 3 and, resumed from step 2, 3 and 4, with a strip at the end of each."""
    strip = torch.randint(0, 256, (3, 8, 16), dtype=torch.uint8)
    for steps in ((1, 2, 3), (3, 4)):
        with open_tracker(name, run, steps[0] - 1, {"train.steps": 4}) as track:
            for step in steps:
                track({"loss/total": 1 / step}, step)
            track({"strip": strip}, steps[-1])


def test_wandb_offline(tmp_path: Path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    track_two_sittings("wandb", tmp_path / "run")
    (given,) = {path.stem for path in (tmp_path / "run").rglob("*.wandb")}  # of both sittings
    assert given == f"run-{(tmp_path / 'run' / 'wandb.id').read_text()}"
    assert len(list((tmp_path / "run").rglob("strip_*.png"))) == 2


def test_wandb_without_an_account(tmp_path: Path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    wandb.teardown()  # forgets the mode of tests before
    for name in ("WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    with (
        pytest.raises(UserError, match="WANDB_MODE=offline"),
        open_tracker("wandb", tmp_path / "run", 0, {}),
    ):
        pass


def test_mlflow_in_the_runs_folder(tmp_path: Path, monkeypatch):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    track_two_sittings("mlflow", tmp_path / "run")
    (run,) = mlflow.search_runs(experiment_names=[tracker.PROJECT], output_format="list")
    assert run.data.params == {"train.steps": "4"}
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "loss/total")
    assert {(point.step, point.value) for point in history} == {
        (step, 1 / step) for step in range(1, 5)
    }


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_package_that_is_missing(drawn_set, tmp_path, recipe, monkeypatch, name):
    monkeypatch.setattr(tracker, "find_spec", lambda _: None)
    given = options(drawn_set, tmp_path / "run", recipe(steps=1), tracker=name)
    with pytest.raises(UserError, match=f"--tracker {name} .*: pip install {name}"):
        train(given, lambda _: None)
    assert not given.out.exists()


@pytest.mark.slow
def test_no_tracker_leaves_no_curves(drawn_set, tmp_path, recipe):
    given = options(drawn_set, tmp_path / "run", recipe(steps=1), tracker="none", strip_every=1)
    train(given, lambda _: None)
    assert sorted(path.name for path in given.out.iterdir()) == [
        "checkpoint-0000001.json",
        "checkpoint-0000001.safetensors",
        "options.json",
        "report.json",
        "strips",
    ]


def test_every_tracker_has_a_package():
    assert set(tracker._PACKAGES) | {"none"} == set(get_args(TrackerName))
    check_tracker("none")
