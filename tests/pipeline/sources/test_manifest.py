"""Which clips: their keys, what is read of folders, and manifests."""

import hashlib
import os
import re
from pathlib import Path

import pytest

from pipeline.errors import UserError
from pipeline.run.summary import note_speakers
from pipeline.sources.manifest import (
    ManifestRow,
    read_input,
    read_manifest,
    scan,
    unique_keys,
    write_manifest,
)
from tests.pipeline.media.numbered import steady, write_numbered
from tests.pipeline.sources.trees import write_tree

# --- keys -----------------------------------------------------------------------------------------

_ODD = [
    "with space.mp4",
    "two.dots.mp4",
    "😀.mp4",
    "語.mp4",
    "x" * 200 + ".mp4",
    "-dash.mp4",
    "new\nline.mp4",
    "..mp4",
    ".hidden.mp4",
    "quote'\".mp4",
    "a/b/c.mp4",
    "a_b_c.mp4",
    "clip.mp4",
    "clip.mkv",
    os.fsdecode(b"\xff\xfe.mp4"),
]


def test_keys_of_odd_names_are_unique_and_fit_a_tar():
    keys = unique_keys(_ODD)
    assert len(set(keys)) == len(_ODD)
    for key in keys:
        assert re.fullmatch(r"[A-Za-z0-9_-]{1,80}", key)


def test_a_name_that_looks_like_a_shot_of_a_clip_bears_a_hash():
    assert unique_keys(["a.mp4", "a--2.mp4"]) == ["a", "a--2-" + _sha("a--2.mp4")]


def test_links_to_folders_are_followed_and_loops_are_not(tmp_path: Path):
    write_tree(tmp_path, "real/ann/a.mp4", "in/b.mp4")
    (tmp_path / "in" / "ann").symlink_to(tmp_path / "real" / "ann")
    (tmp_path / "real" / "ann" / "up").symlink_to(tmp_path / "real")
    (tmp_path / "in" / "self").symlink_to(tmp_path / "in")
    assert [row.source for row in read_input(str(tmp_path / "in"))] == ["ann/a.mp4", "b.mp4"]


def test_plain_names_stay_readable():
    names = ["s1/bbaf2n.mpg", "1001_DFA_ANG_XX.flv", "a-b_C9.MP4"]
    assert unique_keys(names) == ["s1_bbaf2n", "1001_DFA_ANG_XX", "a-b_C9"]


def test_a_key_depends_on_no_other_file_unless_they_clash():
    together = dict(zip(_ODD, unique_keys(_ODD), strict=True))
    backwards = dict(zip(_ODD[::-1], unique_keys(_ODD[::-1]), strict=True))
    assert together == backwards
    clashing = {"a/b/c.mp4", "a_b_c.mp4", "clip.mp4", "clip.mkv"}
    for name in set(_ODD) - clashing:
        assert unique_keys([name]) == [together[name]]
    # Those that clash all bear a hash: which of them came first must not matter.
    for name in clashing:
        assert re.search(r"-[0-9a-f]{8}$", together[name])
    # Keys lie in users' data sets: they stay what they are from version to version.
    assert together["with space.mp4"] == "with_space-" + _sha("with space.mp4")
    assert together["clip.mkv"] == "clip-" + _sha("clip.mkv")


def _sha(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:8]


def test_long_names_that_differ_at_their_end_keep_apart():
    names = [f"{'long/' * 30}{index}.mp4" for index in range(50)]
    keys = unique_keys(names)
    assert len(set(keys)) == 50
    assert max(map(len, keys)) <= 80


# --- what is read ---------------------------------------------------------------------------------


def test_a_folder_is_searched_below_for_videos_only(tmp_path: Path):
    write_tree(tmp_path, "b/2.MKV", "b/1.mp4", "a.webm", "b/1.wav", "b/notes.txt", "b/1.json")
    (tmp_path / "folder.mp4").mkdir()
    rows = read_input(str(tmp_path))
    assert [row.source for row in rows] == ["a.webm", "b/1.mp4", "b/2.MKV"]
    assert [row.speaker for row in rows] == ["", "b", "b"]
    assert all((tmp_path / row.source).samefile(row.path) for row in rows)


def test_of_a_folder_about_a_tenth_is_for_test_whatever_else_is_there(tmp_path: Path):
    write_tree(tmp_path, *(f"{'ab'[i % 2]}/{i:02d}.mp4" for i in range(25)))
    before = {row.source: row.split for row in read_input(str(tmp_path))}
    # The names whose SHA-256 is, in its first 32 bits, a multiple of ten.
    assert [name for name, split in before.items() if split == "test"] == ["b/07.mp4", "b/21.mp4"]
    write_tree(tmp_path, "a/01.mp4", "c/00.mp4")
    after = {row.source: row.split for row in read_input(str(tmp_path))}
    assert len(after) == 27
    assert before.items() <= after.items()


def test_a_glob_names_its_videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_tree(tmp_path, "x/s1/a.mp4", "x/s2/b.mp4", "x/s2/c.mkv", "y/d.mp4")
    wanted = ["s1/a.mp4", "s2/b.mp4"]
    assert [row.source for row in read_input(f"{tmp_path}/x/*/*.mp4")] == wanted
    monkeypatch.chdir(tmp_path)
    rows = read_input("x/**/*.mp4")
    assert [row.source for row in rows] == wanted
    assert [row.speaker for row in rows] == ["s1", "s2"]
    with pytest.raises(UserError, match=r"no video matches z/\*"):
        read_input("z/*")


@pytest.mark.parametrize("source", ["videos", "videos/*.mp4", "videos/a.mp4", "clips.csv"])
def test_paths_hold_where_workers_start_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
):
    monkeypatch.chdir(write_tree(tmp_path, "videos/a.mp4"))
    (tmp_path / "clips.csv").write_text("clip_id,path\na,videos/a.mp4\n")
    assert [row.path for row in read_input(source)] == [f"{tmp_path}/videos/a.mp4"]


def test_a_folder_may_be_called_like_a_manifest(tmp_path: Path):
    rows = read_input(str(write_tree(tmp_path / "clips.csv", "a.mp4")))
    assert [row.clip_id for row in rows] == ["a"]


def test_one_video_is_an_input_too_whatever_its_name(tmp_path: Path):
    write_tree(tmp_path, "odd[1]*.mp4")
    (row,) = read_input(str(tmp_path / "odd[1]*.mp4"))
    assert row.source == "odd[1]*.mp4"


def test_nothing_to_read_is_one_sentence(tmp_path: Path):
    write_tree(tmp_path, "empty/notes.txt")
    with pytest.raises(UserError, match=r"no videos in .*empty.*\.mp4"):
        read_input(str(tmp_path / "empty"))
    for absent in ("absent", "absent.mp4"):
        with pytest.raises(UserError, match=f"no such folder, video or manifest: .*{absent}"):
            read_input(str(tmp_path / absent))
    with pytest.raises(UserError, match="no such manifest"):
        read_input(str(tmp_path / "absent.csv"))
    with pytest.raises(UserError, match="no such folder"):
        scan(tmp_path / "absent", "crema")


def test_names_that_are_not_utf8_can_be_written_into_a_data_set(tmp_path: Path):
    name = os.fsdecode(b"sp\xff/\xfe.mp4")
    write_tree(tmp_path, name)
    (row,) = read_input(str(tmp_path))
    assert os.path.exists(row.path)  # noqa: PTH110 - the path as it is
    for text in (row.source, row.speaker, row.clip_id):
        text.encode()  # would fail on what the file system gave
    write_manifest(tmp_path / "m.csv", [row])
    (back,) = read_manifest(tmp_path / "m.csv")
    assert back.path == row.path


# --- manifests ------------------------------------------------------------------------------------


def _manifest(folder: Path, text: str) -> Path:
    path = folder / "clips.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_manifest_is_read_with_paths_beside_it(tmp_path: Path):
    path = _manifest(
        tmp_path,
        "clip_id,path,speaker,split,start,end\n"
        'a,"videos/a, b.mp4",NA,val,1.5,3\n'
        "b,/abs/b.mp4,,,,\n",
    )
    assert read_input(str(path)) == [
        ManifestRow("a", f"{tmp_path}/videos/a, b.mp4", "videos/a, b.mp4", "NA", "val", 1.5, 3.0),
        ManifestRow("b", "/abs/b.mp4", "/abs/b.mp4", "", "train", 0.0, None),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffclip_id,path\na,a.mp4\n",  # as a spreadsheet saves it
        "path,clip_id,remark\na.mp4,a,fine\n",
        "clip_id,path,speaker,split,start,end\na,a.mp4\n",  # a short row
        "clip_id,path\r\na,a.mp4\r\n\r\n",
    ],
)
def test_manifests_as_people_write_them(tmp_path: Path, text: str):
    assert read_manifest(_manifest(tmp_path, text)) == [
        ManifestRow("a", f"{tmp_path}/a.mp4", "a.mp4")
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not a CSV"),
        ("clip_id,speaker\na,b\n", "lacks the column path"),
        ("name\na\n", "lacks the column clip_id and path"),
        ("clip_id;path\na;b\n", "first line is 'clip_id;path', .* commas between: clip_id,path"),
        ("clip_id,path\n", "lists no clip"),
        ("clip_id,path\na,1.mp4\nb,2.mp4\na,3.mp4\n", "'a' more than once"),
        ("clip_id,path\na,1.mp4\na.b,2.mp4\n", r"line 3: clip_id 'a\.b'"),
        ("clip_id,path\na/b,2.mp4\n", "line 2: clip_id 'a/b'"),
        (f"clip_id,path\n{'a' * 81},2.mp4\n", "line 2: clip_id"),
        ("clip_id,path\n,2.mp4\n", "line 2: clip_id ''"),
        ("clip_id,path\na,\n", "line 2: no path"),
        ("clip_id,path,start\na,1.mp4,soon\n", "line 2: start and end are seconds"),
        ("clip_id,path,start\na,1.mp4,-1\n", "line 2: start -1.0"),
        ("clip_id,path,start,end\na,1.mp4,2,2\n", "line 2: start 2.0 and end 2.0 hold no frame"),
        ("clip_id,path,start,end\na,1.mp4,nan,\n", "line 2: start and end are seconds"),
        ("clip_id,path,start,end\na,1.mp4,0,inf\n", "line 2: start and end are seconds"),
        ("clip_id,path\na,1.mp4,extra,cells\n", "more cells than"),
        ("clip_id,path\na,1.mp4\nb,2.mp4,extra\n", "line 3: more cells than"),
        # As an editor counts: what is blank, and what is broken within quotes, has lines too.
        ("clip_id,path\n\n\na.b,2.mp4\n", r"line 4: clip_id 'a\.b'"),
        ('clip_id,path\na,"1\n.mp4"\na.b,2.mp4\n', r"line 4: clip_id 'a\.b'"),
    ],
)
def test_what_is_wrong_in_a_manifest_is_named(tmp_path: Path, text: str, sentence: str):
    with pytest.raises(UserError, match=sentence):
        read_manifest(_manifest(tmp_path, text))


def test_a_manifest_that_was_written_reads_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(write_tree(tmp_path, "videos/a\nb.mp4", 'videos/"c", d.mp4'))
    rows = read_input("videos")
    rows.append(ManifestRow("part", "videos/e.mp4", "e.mp4", "s", "test", 0.04, 1 / 3))
    write_manifest(tmp_path / "deep" / "m.csv", rows)
    back = read_manifest(tmp_path / "deep" / "m.csv")
    for ours, theirs in zip(rows, back, strict=True):
        assert theirs.path == str(tmp_path / ours.path)
        for name in ("clip_id", "speaker", "split", "start", "end"):
            assert getattr(ours, name) == getattr(theirs, name)


def test_a_path_in_the_home_folder_is_found_there(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "list.csv").write_text("clip_id,path\na,~/a.mp4\nb,b.mp4\n")
    paths = [row.path for row in read_manifest(tmp_path / "list.csv")]
    assert paths == [f"{tmp_path}/home/a.mp4", f"{tmp_path}/b.mp4"]


def test_films_of_other_suffixes_are_found_by_looking_inside(tmp_path: Path):
    write_numbered(tmp_path / "a.mp4", steady(3, 25)).rename(tmp_path / "a.xyz")
    write_numbered(tmp_path / "b.ts", steady(3, 25)).rename(tmp_path / "B.MTS")
    (tmp_path / "notes").write_text("no film")
    assert [row.source for row in scan(tmp_path, "folder")] == ["B.MTS", "a.xyz"]


def test_films_of_cameras_and_calls_are_found(shared_cases: Path):
    found = {row.source for row in scan(shared_cases / "suffix", "folder")}
    assert found == {"00001.MTS", "ok.mp4", "zoom.asf"}


def test_splits_are_named_in_any_case_and_others_are_counted(tmp_path: Path, capsys):
    rows = ["a,a.mp4,train", "b,b.mp4,Train", "c,c.mp4,TEST", "d,d.mp4,pretrain", "e,e.mp4,"]
    (tmp_path / "m.csv").write_text("\n".join(["clip_id,path,split", *rows]))
    read = read_manifest(tmp_path / "m.csv")
    assert [row.split for row in read] == ["train", "train", "test", "pretrain", "train"]
    note_speakers(read)
    assert "1 clips in split 'pretrain', which no command reads" in capsys.readouterr().out
