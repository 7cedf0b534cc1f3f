"""Which clips share a shard, and when a folder may be carried on with."""

import random
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.dataset.limits import Limits
from pipeline.dataset.plan import claim, plan_shards, refuse_shot_keys
from pipeline.dataset.prep_options import PrepOptions
from pipeline.errors import UserError
from pipeline.files import read_json
from pipeline.sources.manifest import ManifestRow


def _rows() -> list[ManifestRow]:
    splits = ["train"] * 7 + ["test"] * 4 + ["val"]
    return [
        ManifestRow(f"clip{i:02d}", f"/data/{i}.mp4", f"{i}.mp4", "s", split)
        for i, split in enumerate(splits)
    ]


def test_a_plan_is_made_of_full_shards_of_one_split_in_order_of_keys():
    shards = plan_shards(_rows(), 3)
    assert [(s.name, s.split, [row.clip_id[4:] for row in s.rows]) for s in shards] == [
        ("shard-00000", "test", ["07", "08", "09"]),
        ("shard-00001", "test", ["10"]),
        ("shard-00002", "train", ["00", "01", "02"]),
        ("shard-00003", "train", ["03", "04", "05"]),
        ("shard-00004", "train", ["06"]),
        ("shard-00005", "val", ["11"]),
    ]


def test_a_plan_does_not_depend_on_the_order_of_the_scan():
    rows = _rows()
    random.Random(0).shuffle(rows)
    assert plan_shards(rows, 3) == plan_shards(_rows(), 3)


def test_a_folder_is_claimed_once_and_carried_on_with_by_the_same_plan(tmp_path: Path):
    out, options = tmp_path / "new" / "set", PrepOptions()
    shards = plan_shards(_rows(), 3)
    claim(out, shards, options)
    written = (out / "plan.json").read_bytes()
    assert read_json(out / "plan.json")["options"] == options.as_json()
    (out / "shard-00000.tar").touch()
    claim(out, shards, options)
    # The videos may have moved, as long as they are the same below the folder that was named.
    moved = [replace(row, path=f"/elsewhere{row.path}") for row in _rows()]
    claim(out, plan_shards(moved, 3), options)
    assert (out / "plan.json").read_bytes() == written


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"image_size": 64}, r"image_size 128 is now 64.*another --out"),
        ({"smoothing": "clip", "bridge_frames": 0}, "smoothing authors is now clip; bridge_frames"),
        ({"limits": Limits(min_seconds=1, max_yaw=30)}, "min_seconds 0.4 is now 1.0; max_yaw None"),
    ],
)
def test_other_options_are_refused_by_name(tmp_path: Path, change: dict[str, int], sentence: str):
    shards = plan_shards(_rows(), 3)
    claim(tmp_path, shards, PrepOptions())
    before = (tmp_path / "plan.json").read_bytes()
    with pytest.raises(UserError, match=sentence):
        claim(tmp_path, shards, replace(PrepOptions(), **change))
    assert (tmp_path / "plan.json").read_bytes() == before


@pytest.mark.parametrize("field", ["clip_id", "source", "speaker", "split", "start", "end"])
def test_other_clips_are_refused(tmp_path: Path, field: str):
    claim(tmp_path, plan_shards(_rows(), 3), PrepOptions())
    first, *others = _rows()
    value = 1.5 if field in ("start", "end") else "z"
    changed = plan_shards([replace(first, **{field: value}), *others], 3)
    with pytest.raises(UserError, match="begun with other clips"):
        claim(tmp_path, changed, PrepOptions())
    with pytest.raises(UserError, match="begun with other clips"):
        claim(tmp_path, plan_shards(others, 3), PrepOptions())


def test_a_folder_that_holds_other_things_is_left_alone(tmp_path: Path):
    shards, options = plan_shards(_rows(), 3), PrepOptions()
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(UserError, match="holds other files"):
        claim(tmp_path, shards, options)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    with pytest.raises(UserError, match="is a file"):
        claim(tmp_path / "thesis.tex", shards, options)
    hidden = tmp_path / "empty"
    hidden.mkdir()
    (hidden / ".DS_Store").touch()
    claim(hidden, shards, options)
    assert (hidden / "plan.json").exists()


def test_what_people_should_know_is_kept_until_it_is_told_anew(tmp_path: Path):
    shards, options = plan_shards(_rows(), 3), PrepOptions()
    first = {"source": "in/", "licence": "CC BY 4.0"}
    for given, known in ((first, first), ({}, first), ({"source": "there/"}, {"source": "there/"})):
        claim(tmp_path, shards, options, **given)
        assert read_json(tmp_path / "plan.json").items() >= (first | known).items()


def test_a_key_that_a_shot_could_get_is_refused():
    shards = plan_shards([ManifestRow("a--2", "/a.mp4", "a.mp4")], 3)
    with pytest.raises(UserError, match="'a--2' looks like a shot"):
        refuse_shot_keys(shards)
    refuse_shot_keys(plan_shards(_rows(), 3))


def test_a_damaged_plan_is_named(tmp_path: Path):
    (tmp_path / "plan.json").write_text("{")
    with pytest.raises(UserError, match=r"plan\.json is damaged"):
        claim(tmp_path, plan_shards(_rows(), 3), PrepOptions())


@pytest.mark.parametrize("text", ["{}", "[1]", '"words"'])
def test_a_plan_of_something_else_is_named(tmp_path: Path, text: str):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(UserError, match=r"plan\.json is not of dh-prep run; use another --out"):
        claim(tmp_path, plan_shards(_rows(), 3), PrepOptions())
    assert (tmp_path / "plan.json").read_text() == text
