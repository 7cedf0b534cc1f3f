"""Conditions of --keep: what they mean, held against pandas' own query, and what they refuse."""

import math

import numpy as np
import pandas as pd
import pytest

from pipeline.dataset.conditions import failing, join_conditions, parse_conditions
from pipeline.errors import UserError

ROW = {"yaw": -31.25, "speech_share": 0.8, "faces": 2.0, "speaker": "s1", "pitch": math.nan}


@pytest.mark.parametrize(
    "text",
    [
        "yaw < 12.5",
        "yaw < 5 and speech_share > 0.5",
        "abs(yaw) <= 10 or faces == 1",
        "not (yaw < 0 or speech_share >= 0.3)",
        "-5 <= yaw < 5 and speaker != 's1'",
        "abs(yaw) > faces and (speaker == 's1' or speech_share < 1e-1)",
        "speech_share > yaw",
    ],
)
def test_the_rows_kept_are_those_of_pandas_query(text: str):
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "yaw": rng.normal(0, 12, 200),
            "speech_share": rng.uniform(0, 1, 200),
            "faces": rng.integers(0, 4, 200).astype(float),
            "speaker": rng.choice(["s1", "s2"], 200),
        }
    )
    conditions = parse_conditions(text)
    kept = [failing(conditions, row) is None for row in rows.to_dict("records")]
    assert 0 < sum(kept) < 200
    assert rows[kept].equals(rows.query(text, engine="python"))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("yaw < 25", None),
        ("abs(yaw) < 25", "yaw -31.25 fails abs(yaw) < 25"),
        ("faces>=1 and yaw>0 and faces>5", "yaw -31.25 fails yaw > 0"),  # the part that fails
        ("faces == 1 or yaw > 0", "faces 2, yaw -31.25 fails faces == 1 or yaw > 0"),
        ("speaker == 's2'", "speaker 's1' fails speaker == 's2'"),
        ("pitch < 25", "pitch could not be measured, and pitch < 25 is asked"),
        ("not pitch < 25", "pitch could not be measured, and not pitch < 25 is asked"),
        ("sharpness > 3 and loudness > -9", None),  # not measured yet
        ("sharpness > 3 or faces < 2", None),
        ("", None),
    ],
)
def test_the_reason_names_the_part_that_fails_with_its_values(text: str, reason: str | None):
    assert failing(parse_conditions(text), ROW) == reason


@pytest.mark.parametrize(
    "text",
    [
        "yaw <", "yaw", "25", "1 < 2", "yaw = 3", "yaw < 25 & faces < 2", "yaw < True",
        "__import__('os').system('true') == 0", "(lambda: 1)() < yaw", "yaw.real < 3", "yaw[0] < 3",
        "[x for x in ()] < yaw", "speaker in ('a', 'b')", "yaw is 3", "abs(yaw, 2) < 3",
        "abs(speaker) == 's'", "max(yaw, 3) < 4", "yaw + 3 < 4", "-speaker == 's'", "yaw < 2j",
        "f'{yaw}' == speaker", "(yaw := 3) < 4", "not yaw", "yaw if faces else faces", "yaw < abs",
        "speaker < 3", "yaw == 's1'", "(" * 300, "yaw < 3; faces", "status == 'ok'",
        "yaw < None", "seconds_align < 1",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_the_expression(text: str):
    with pytest.raises(UserError) as refused:
        parse_conditions(text)
    assert f'--keep "{text}"' in str(refused.value)


def test_an_unknown_column_is_refused_with_those_there_are():
    with pytest.raises(UserError, match=r"no column jaw; columns are .*yaw, .*speaker"):
        parse_conditions("jaw < 25")


def test_conditions_are_joined_each_once_in_one_spelling():
    assert join_conditions("yaw<25", "", "faces == 1 or cuts==0", "yaw  < 25") == (
        "yaw < 25 and (faces == 1 or cuts == 0)"
    )
    joined = join_conditions("yaw < 1 and faces < 2", "cuts < 3")
    assert joined == "yaw < 1 and faces < 2 and cuts < 3"
    assert join_conditions(joined) == joined
    assert join_conditions("", " ") == ""
