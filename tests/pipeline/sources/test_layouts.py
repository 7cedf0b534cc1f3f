"""Speaker and split read off paths as the field's data sets have them."""

import re
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.sources.manifest import scan
from tests.pipeline.sources.trees import write_tree


def _told(folder: Path, layout: str) -> dict[str, tuple[str, str]]:
    return {row.source: (row.speaker, row.split) for row in scan(folder, layout)}


_TEST_ACTORS = [1015, 1020, 1021, 1030, 1033, 1052, 1062, 1081, 1082, 1089]


def test_crema_has_the_authors_ten_actors_for_test(tmp_path: Path):
    write_tree(tmp_path, *(f"VideoFlash/{actor}_DFA_ANG_XX.flv" for actor in range(1001, 1092)))
    told = _told(tmp_path, "crema")
    assert len(told) == 91
    test = {int(speaker) for speaker, split in told.values() if split == "test"}
    assert sorted(test) == _TEST_ACTORS
    assert {split for _, split in told.values()} == {"train", "test"}


def test_crema_takes_the_one_name_that_its_makers_mistyped(tmp_path: Path):
    write_tree(tmp_path, "1040_ITH_SAD_X.flv")
    assert _told(tmp_path, "crema") == {"1040_ITH_SAD_X.flv": ("1040", "train")}


def test_lrw_tells_split_and_no_speaker(tmp_path: Path):
    write_tree(
        tmp_path,
        "ABOUT/train/ABOUT_00001.mp4",
        "ABOUT/val/ABOUT_00001.mp4",
        "lipread_mp4/YOUNG/test/YOUNG_00050.mp4",
    )
    assert list(_told(tmp_path, "lrw").values()) == [("", "train"), ("", "val"), ("", "test")]
    keys = {row.clip_id for row in scan(tmp_path, "lrw")}
    assert "ABOUT_train_ABOUT_00001" in keys


def test_grid_has_every_tenth_sentence_of_each_speaker_for_test(tmp_path: Path):
    letters = "abcdefghijklmnopqrst"
    write_tree(tmp_path, *(f"s1/video/mpg_6000/bba{letter}2n.mpg" for letter in letters))
    write_tree(tmp_path, *(f"s12/lwb{letter}zn.mpg" for letter in letters[:15]))
    told = _told(tmp_path, "grid")
    test = [(source[-10:], speaker) for source, (speaker, split) in told.items() if split == "test"]
    assert sorted(test) == [("bbaj2n.mpg", "s1"), ("bbat2n.mpg", "s1"), ("lwbjzn.mpg", "s12")]
    assert {speaker for speaker, _ in told.values()} == {"s1", "s12"}


def test_grid_of_one_speaker_is_named_after_its_folder(tmp_path: Path):
    write_tree(tmp_path / "grid_s1", "bbaf2n.mpg")
    assert _told(tmp_path / "grid_s1", "grid") == {"bbaf2n.mpg": ("grid_s1", "train")}


def test_voxceleb_has_the_identity_for_speaker(tmp_path: Path):
    write_tree(
        tmp_path,
        "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4",
        "test/mp4/id00017/01dfn2spqyE/00002.mp4",
    )
    assert list(_told(tmp_path, "voxceleb").values()) == [
        ("id00012", "train"),
        ("id00017", "test"),
    ]


def test_hdtf_has_the_middle_of_the_name_for_speaker(tmp_path: Path):
    names = ["WDA_BarackObama_000.mp4", "WRA_A_B1_012_003.mp4", "RD_Radio34_001.mp4"]
    write_tree(tmp_path, *names)
    told = _told(tmp_path, "hdtf")
    assert {told[name][0] for name in names} == {"BarackObama", "A_B1", "Radio34"}
    assert {split for _, split in told.values()} == {"train"}


@pytest.mark.parametrize(
    ("layout", "name"),
    [
        ("crema", "clip_1015.mp4"),
        ("lrw", "ABOUT/training/ABOUT_00001.mp4"),
        ("lrw", "ABOUT_00001.mp4"),
        ("grid", "s1/sentence.mpg"),
        ("voxceleb", "person/00001.mp4"),
        ("hdtf", "BarackObama.mp4"),
    ],
)
def test_a_file_that_does_not_follow_its_layout_is_named(tmp_path: Path, layout: str, name: str):
    write_tree(tmp_path, name)
    with pytest.raises(UserError, match=re.escape(name)):
        scan(tmp_path, layout)


def test_the_real_grid_folder(shared_data: Path):
    rows = scan(shared_data / "grid_s1", "grid")
    assert len(rows) == 190
    # By sorted name, every tenth.
    names = sorted(row.source for row in rows)
    test = sorted(row.source for row in rows if row.split == "test")
    assert test == names[9::10]
