"""Splits by speaker: no speaker in two, the shares kept, the same on every machine."""

import random
from collections import Counter

import pytest

from pipeline.errors import UserError
from pipeline.sources.manifest import ManifestRow
from pipeline.sources.splits import in_several, speakers_by_split, split_by_speaker


def _rows(speakers: int, each: int = 10) -> list[ManifestRow]:
    return [
        ManifestRow(f"c{s}-{i}", f"/{s}/{i}.mp4", f"{s}/{i}.mp4", f"speaker {s}")
        for s in range(speakers)
        for i in range(each)
    ]


@pytest.mark.parametrize(("test", "val"), [(0.1, 0.0), (0.2, 0.1), (0.0, 0.25)])
def test_no_speaker_is_in_two_splits_and_the_shares_are_kept(test: float, val: float):
    rows = split_by_speaker(_rows(40), test=test, val=val)
    assert in_several(speakers_by_split(rows)) == []
    counts = Counter(row.split for row in rows)
    assert counts["test"] == test * 400
    assert counts["val"] == val * 400
    assert counts["train"] == (1 - test - val) * 400


def test_the_split_of_a_speaker_depends_on_names_alone():
    rows = _rows(30)
    before = {row.clip_id: row.split for row in split_by_speaker(rows, test=0.2)}
    random.Random(0).shuffle(rows)
    assert {row.clip_id: row.split for row in split_by_speaker(rows, test=0.2)} == before
    more = {row.clip_id: row.split for row in split_by_speaker(_rows(31), test=0.2)}
    moved = {key.partition("-")[0] for key in before if more[key] != before[key]}
    assert len(moved) <= 1


def test_clips_of_nobody_known_go_where_they_are_told():
    rows = [*_rows(10), ManifestRow("x", "/x.mp4", "x.mp4")]
    split = split_by_speaker(rows, test=0.2, unknown="train")
    assert split[-1].split == "train"
    assert split[:-1] == split_by_speaker(rows[:-1], test=0.2)


def test_what_cannot_be_split_is_said():
    with pytest.raises(UserError, match=r"1/0\.mp4 has no speaker"):
        split_by_speaker([*_rows(1), ManifestRow("x", "/1/0.mp4", "1/0.mp4")], test=0.1)
    with pytest.raises(UserError, match="1 speakers are too few"):
        split_by_speaker(_rows(1), test=0.1)


def test_speakers_of_several_splits_are_named():
    splits = {"train": {"a", "b", ""}, "test": {"b", "c", ""}, "val": {"c"}}
    assert in_several(splits) == ["b", "c"]
