"""Limits: shorthands and conditions, what breaks them, and data sets made with former limits."""

import pickle
from dataclasses import fields
from typing import Any

import pytest
from pydantic import ValidationError
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.dataset.limits import Limits

ROW = {
    "clip_seconds": 3.0,
    "missing_seconds": 0.5,
    "eye_distance": 60.0,
    "faces": 1,
    "cuts": 1,
    "yaw": -10.0,
    "speech_share": 0.8,
    "av_lag": -2,
}


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({}, None),
        ({"min_seconds": 3.0}, None),  # the bound itself is allowed
        ({"min_seconds": 3.5}, "clip_seconds 3 fails clip_seconds >= 3.5"),
        ({"max_missing": 0}, "missing_seconds 0.5 fails missing_seconds <= 0"),
        ({"min_face": 80}, "eye_distance 60 fails eye_distance >= 80"),
        ({"max_faces": 0}, "faces 1 fails faces <= 0"),
        ({"max_cuts": 0}, "cuts 1 fails cuts <= 0"),
        ({"max_yaw": 9}, "yaw -10 fails abs(yaw) <= 9"),  # to either side
        ({"max_yaw": 11}, None),
        ({"min_speech": 0.9}, "speech_share 0.8 fails speech_share >= 0.9"),
        ({"keep": "abs(av_lag) < 2"}, "av_lag -2 fails abs(av_lag) < 2"),
        ({"keep": "pitch < 2"}, None),  # not measured yet
    ],
)
def test_a_broken_limit_is_a_reason_with_both_numbers(limits: dict[str, Any], reason: str | None):
    assert Limits(**limits).broken(ROW) == reason


def test_what_could_not_be_measured_breaks_its_limit_only():
    assert "yaw could not be measured" in str(Limits(max_yaw=9).broken({"yaw": float("nan")}))
    assert Limits().broken({"yaw": float("nan")}) is None


def test_every_limit_is_an_option_of_both_commands():
    for command in ("run", "filter"):
        text = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
        for field in fields(Limits):
            assert f"--{field.name.replace('_', '-')} " in text


def test_of_two_limits_the_tighter_holds_and_conditions_are_joined():
    a = Limits(min_seconds=0.4, max_yaw=30, min_face=20, keep="cuts == 0")
    b = Limits(min_seconds=1.0, max_yaw=45, keep="pitch < 9")
    keep = {a: "cuts == 0 and pitch < 9", b: "pitch < 9 and cuts == 0"}
    for first, second in ((a, b), (b, a)):
        expected = Limits(min_seconds=1.0, max_yaw=30, min_face=20, keep=keep[first])
        assert first.and_also(second) == expected


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("min_speech", 50.0),
        ("max_yaw", -3.0),
        ("min_face", float("nan")),
        ("min_face", float("inf")),
        ("max_faces", 1.5),
    ],
)
def test_a_limit_outside_what_is_measured_is_refused(option: str, value: float):
    with pytest.raises(ValidationError, match=option):
        Limits(**{option: value})
    words = ["filter", "nowhere", "--out", "out", f"--{option.replace('_', '-')}", str(value)]
    done = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert done.exit_code != 0
    assert option.replace("_", "-") in done.output + str(done.exception)


def test_limits_survive_json_and_a_worker():
    limits = Limits(min_seconds=None, max_faces=1, keep="yaw<25 and cuts==0")
    assert limits.as_json() == {"max_faces": 1, "keep": "yaw < 25 and cuts == 0"}
    assert Limits.from_json(limits.as_json()) == limits
    assert limits.broken(ROW) == "cuts 1 fails cuts == 0"
    assert pickle.loads(pickle.dumps(limits)) == limits


@pytest.mark.parametrize(
    ("name", "value", "column", "kept", "dropped"),
    [
        ("max_seconds", 2, "clip_seconds", 2, 2.1),
        ("max_pitch", 10.0, "pitch", -10, -11),
        ("min_sharpness", 11.5, "sharpness", 11.5, 11.4),
        ("min_mouth", 0.06, "mouth_opening_std", 0.06, 0.05),
        ("min_loudness", -20.5, "loudness", -20, -21),
        ("max_lag", 1, "av_lag", -1, -2),
        ("min_sync", -0.1, "av_correlation", 0.0, -0.2),
    ],
)
def test_a_limit_of_a_former_version_means_what_it_meant(
    name: str, value: float, column: str, kept: float, dropped: float
):
    limits = Limits.from_json({"min_seconds": 0.4, name: value})
    assert limits.min_seconds == 0.4
    assert limits.broken({column: kept}) is None
    assert str(limits.broken({column: dropped})).startswith(f"{column} ")
    assert Limits.from_json(limits.as_json()) == limits
