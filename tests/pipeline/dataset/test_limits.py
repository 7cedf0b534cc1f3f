"""Limits: what keeps them, what breaks them, and that the command line knows them all."""

from __future__ import annotations

import re
from dataclasses import fields

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app
from pipeline.dataset.filter import tighter
from pipeline.dataset.limits import _MEASURES, Limits
from pipeline.dataset.rows import MEASURED
from pipeline.errors import UserError

_FINE = {
    "clip_seconds": 3.0,
    "eye_distance": 60.0,
    "faces": 1,
    "cuts": 0,
    "missing_seconds": 0.5,
    "yaw": -10.0,
    "pitch": 5.0,
    "sharpness": 10.0,
    "mouth_opening_std": 0.05,
    "loudness": -25.0,
    "speech_share": 0.8,
    "av_lag": -2,
    "av_correlation": 0.5,
}


@pytest.mark.parametrize(
    ("limits", "reason"),
    [
        ({}, None),
        ({"min_seconds": 3.0, "max_seconds": 3.0}, None),  # the bounds themselves are allowed
        ({"min_seconds": 3.5}, "a face for 3.00 s, less than 3.5 s"),
        ({"max_seconds": 2}, "a face for 3.00 s, more than 2 s"),
        ({"min_face": 80}, "a face of 60 px between the eyes, less than 80 px"),
        ({"max_faces": 0}, "1 faces, more than 0"),
        ({"max_missing": 0}, "0.5 s of the file missing, more than 0 s"),
        ({"max_yaw": 9}, "a face turned by -10°, more than 9°"),  # to either side
        ({"max_yaw": 11, "max_pitch": 4}, "a face tilted by 5°, more than 4°"),
        ({"min_sharpness": 11.5}, "sharpness 10, less than 11.5"),
        ({"min_mouth": 0.06}, "mouth movement 0.050, less than 0.06"),
        ({"min_loudness": -20}, "loudness -25 dBFS, less than -20 dBFS"),
        ({"min_speech": 0.9}, "speech for 80% of the time, less than 90%"),
        ({"max_lag": 1}, "sound off by -2 frames, more than 1"),
        ({"min_sync": 0.6}, "lips and sound correlate by 0.50, less than 0.6"),
    ],
)
def test_a_broken_limit_is_a_reason_with_both_numbers(limits: dict[str, float], reason: str | None):
    assert Limits(**limits).broken(_FINE) == reason


def test_what_is_not_known_yet_breaks_nothing_and_what_cannot_be_known_breaks_its_limit():
    limits = Limits(min_sync=0.2)
    assert limits.broken({"clip_seconds": 1.0}) is None
    assert "av_correlation could not be measured" in str(
        limits.broken({"av_correlation": float("nan")})
    )
    assert Limits().broken({"av_correlation": float("nan")}) is None


def test_every_limit_is_on_a_measure_and_an_option_of_both_commands():
    for field in fields(Limits):
        column, *_ = _MEASURES[field.name.partition("_")[2]]
        assert column in MEASURED
    for command in ("run", "filter"):
        said = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "200"}).output
        for field in fields(Limits):
            assert f"--{field.name.replace('_', '-')}" in said


def test_of_two_limits_the_tighter_holds():
    a = Limits(min_seconds=0.4, max_yaw=30, min_face=20)
    b = Limits(min_seconds=1.0, max_yaw=45)
    assert tighter(a, b) == tighter(b, a) == Limits(min_seconds=1.0, max_yaw=30, min_face=20)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("min_speech", 50.0, "--min-speech must be from 0 to 1, not 50"),
        ("max_yaw", -3.0, "--max-yaw must be 0 or more, not -3"),
        ("min_loudness", 3.0, "--min-loudness must be 0 or less, not 3"),
        ("min_sync", -1.5, "--min-sync must be from -1 to 1, not -1.5"),
        ("max_seconds", 0.3, "--min-seconds 0.4 is more than --max-seconds 0.3"),
        ("min_face", float("nan"), "--min-face must be 0 or more, not nan"),
        ("min_face", float("inf"), "--min-face must be 0 or more, not inf"),
    ],
)
def test_a_limit_that_no_clip_or_every_clip_keeps_is_refused(option: str, value: float, said: str):
    with pytest.raises(UserError, match=re.escape(said)):
        Limits(**{option: value})
